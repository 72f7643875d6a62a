"""Reports of a period for the pages of numbers: each is read at most once a minute."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client

from clawback.local.worker_requests import read_requests_used
from clawback.reports.report import Report
from clawback.reports.report_reader import read_report
from clawback.settings import Settings

_FRESH: Final = 60.0
_MOST: Final = 8


class PeriodReports:
    """The reports that were asked for lately, by the length of their period."""

    def __init__(self, settings: Settings, client: Client, now: Callable[[], datetime]) -> None:
        self._settings, self._client, self._now = settings, client, now
        self._turn = asyncio.Lock()
        self._known: OrderedDict[timedelta, tuple[float, Report]] = OrderedDict()

    async def read(self, since: timedelta) -> Report:
        """Return the report of the period that ends now.

        Raises:
            RPCError: the server does not answer.
            OSError: the audit of this machine cannot be read.

        """
        async with self._turn:
            read_at, report = self._known.get(since, (float("-inf"), None))
            if report is None or time.monotonic() - read_at >= _FRESH:
                until = self._now()
                requests = await asyncio.to_thread(read_requests_used, self._settings)
                report = await read_report(
                    self._client, self._settings.audit_file, until - since, until, requests
                )
                self._known[since] = time.monotonic(), report
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
            return report
