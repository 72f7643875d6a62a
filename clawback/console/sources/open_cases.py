"""The files of cases that somebody looks at: read once in two seconds, however many look."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio.client import Client

from clawback.case_files.case_file import CaseFile
from clawback.case_files.case_file_reader import CaseFileReader
from clawback.cases import CaseStart
from clawback.console.sources.rule_folder import RuleFolder
from clawback.settings import Settings
from clawback.temporal.case_gateway import CaseGateway

FRESH: Final = timedelta(seconds=2)
_MOST_KEPT: Final = 20
"""Files that are kept: each has at most a mebibyte of messages."""


@dataclass
class _Kept:
    read_at: float
    reading: "asyncio.Future[CaseFile]"


@dataclass
class OpenCases:
    """Reads the files of cases, and shares them between people who look at the same one."""

    settings: Settings
    client: Client
    rules: RuleFolder
    _kept: OrderedDict[tuple[str, str | None], _Kept] = field(default_factory=OrderedDict)

    async def read(self, case_id: str, run: str | None = None) -> CaseFile:
        """Read the file of a case as it was two seconds ago at most; of one `run` if it is given.

        Raises what `CaseFileReader.read` raises.
        """
        now, key = asyncio.get_running_loop().time(), (case_id, run)
        kept = self._kept.get(key)
        if kept is None or now - kept.read_at > FRESH.total_seconds():
            kept = _Kept(now, asyncio.ensure_future(self._read(case_id, run)))
            self._kept[key] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        try:
            # Whoever leaves must not take the answer away from the others who wait for it.
            return await asyncio.shield(kept.reading)
        except Exception:
            if self._kept.get(key) is kept:
                del self._kept[key]
            raise

    def forget(self, case_id: str) -> None:
        """Read a case anew next time: it has just been changed from here."""
        for key in [key for key in self._kept if key[0] == case_id]:
            del self._kept[key]

    async def read_part(self, case_id: str, number: int) -> CaseStart:
        """Read one further part of a large campaign.

        Raises what `CaseGateway.read_part` raises.
        """
        return await CaseGateway(self.client).read_part(case_id, number)

    async def _read(self, case_id: str, run: str | None) -> CaseFile:
        facts, ui = await self.rules.find_facts(), self.settings.temporal_ui
        return await CaseFileReader(self.client, facts, ui).read(case_id, run=run, whole=False)
