"""Reads history from the API, with few requests and without changes.

Pages are as large as the API allows, and `/detections` is asked only if a rule depends on it. The
client does not retry, so this module waits for the rate limit and retries an unavailable server.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from clawback.backtest.replay import Backtest
from clawback.cloudflare import (
    EmailSecurity,
    InvalidRequest,
    NotFound,
    Page,
    RateLimited,
    Unavailable,
    pages,
)
from clawback.ingest.join import join_messages
from clawback.model.events import Event, EventKind, build_event, message_event, source_of

T = TypeVar("T")
_MAX_TRIES = 4
_FIRST_PAUSE = 2.0  # seconds; doubles with each try


@dataclass
class Feed:
    """Reads the account from `start` to `end`.

    `detections` is the largest number of requests for `/detections`. `tell(what, count)` reports
    progress.
    """

    api: EmailSecurity
    start: datetime
    end: datetime
    detections: int
    tell: Callable[[str, int], None]
    _known: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    async def run(self, backtest: Backtest) -> None:
        """Feed a backtest: messages first, then the reports and submissions about them.

        Raises:
            ApiError: the API refused, or did not answer after some retries.

        """
        kinds = {
            kind
            for version in backtest.versions
            for rule in version.rules.rules.values()
            for kind in rule.kinds
        }
        reports = (
            await self._read(self.api.phishguard_reports, backtest)
            if EventKind.PHISHGUARD_REPORT in kinds
            else []
        )
        submissions = (
            await self._read(self.api.submissions, backtest)
            if EventKind.SUBMISSION in kinds
            else []
        )
        said = [
            build_event(EventKind.PHISHGUARD_REPORT, record, self.end) for record in reports
        ] + [build_event(EventKind.SUBMISSION, record, self.end) for record in submissions]
        wanted = {source_of(event).postfix_id(event) for event in said}
        messages: dict[str, list[Event]] = defaultdict(list)

        async for page in pages(
            self._with_retries(self.api.messages),
            most=None,
            start=self.start,
            end=self.end,
            per_page=1000,
        ):
            backtest.traffic.rejected += len(page.rejected)
            for item in page.items:
                event = message_event(item.record, self.end)
                # Only what is reported or submitted is kept: a history has millions of messages.
                if (postfix_id := item.record.get("postfix_id")) in wanted:
                    messages[str(postfix_id)].append(event)
                await self._take(backtest, event)

            self.tell("messages", len(page.items))

        for event in said:
            await self._take(
                backtest,
                join_messages(event, messages.get(str(source_of(event).postfix_id(event)), ())),
            )

    async def _read(
        self, listing: Callable[..., Awaitable[Page[Any]]], backtest: Backtest
    ) -> list[Mapping[str, Any]]:
        records: list[Mapping[str, Any]] = []
        async for page in pages(
            self._with_retries(listing), most=None, start=self.start, end=self.end, per_page=1000
        ):
            backtest.traffic.rejected += len(page.rejected)
            records += [item.record for item in page.items]

        return records

    async def _take(self, backtest: Backtest, event: Event) -> None:
        if backtest.take(event, None, last=False):
            return
        known = await self._detections_of(event.targets[0].id) if event.has_message else {}
        backtest.take(event, known)

    async def _detections_of(self, message: str) -> Mapping[str, Any] | None:
        if message not in self._known:
            if self.detections <= 0:
                return None

            self.detections -= 1
            try:
                self._known[message] = await self._with_retries(self.api.detections)(message)
            except (NotFound, InvalidRequest):
                self._known[message] = {}

            self.tell("detections", 1)

        return self._known[message]

    def _with_retries(self, call: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        async def retried(*given: Any, **named: Any) -> T:
            failures = 0
            while True:
                try:
                    return await call(*given, **named)
                except RateLimited as limit:
                    await asyncio.sleep(limit.retry_after.total_seconds())
                except Unavailable:
                    failures += 1
                    if failures == _MAX_TRIES:
                        raise
                    await asyncio.sleep(_FIRST_PAUSE * 2 ** (failures - 1))

        return retried
