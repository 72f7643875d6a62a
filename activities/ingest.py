"""The activity that pollers run: read one page of the API and send its matches to their cases."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.cases import CasePlan, CaseTiming, Match
from clawback.ingest import Ingest, IngestResult, Rejection
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import Lane, PageRead, ReadPage
from clawback.model.texts import bounded
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error, audit_unavailable
from clawback.temporal.case_gateway import CaseGateway, CaseRefused
from clawback.temporal.set_aside_gateway import SetAsideGateway, describe_set_aside

_CONCURRENT_SIGNALS = 24
"""Enough to keep the server busy, few enough to leave capacity to others."""


class IngestActivities:
    """Turns records into matches. Safe to repeat: cases drop matches that they have."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        ingest: Ingest,
        cases: CaseGateway,
        set_aside: SetAsideGateway,
        audit: AuditWriter,
        telemetry: ActivityTelemetry,
        *,
        queue: str,
    ) -> None:
        """Take the collaborators, and the task queue that this worker alone reads from."""
        self._ingest = ingest
        self._audit = audit
        self._cases = cases
        self._set_aside = set_aside
        self._telemetry = telemetry
        self._queue = queue
        self._turns: dict[EventKind, asyncio.Lock] = defaultdict(asyncio.Lock)

    @activity.defn(name="email_security.find_reader")
    async def find_reader(self) -> str:
        """Return the task queue on which this worker alone reads pages."""
        return self._queue

    @activity.defn(name="email_security.read_page")
    async def read_page(self, request: ReadPage) -> PageRead:
        """Read one page, evaluate what is new on it, and signal the cases.

        What the page alone decides is dispatched first, before anything that needs more requests.
        """
        with as_application_error():
            page = await self._ingest.read(request)
        set_aside = await self._dispatch(request, page)
        rest = await self._ingest.complete(page)
        set_aside += await self._dispatch(request, rest)

        self._telemetry.record_backlog(request.source, request.backlog)
        if page.page is None and request.lane is Lane.LIVE:
            self._telemetry.record_complete_poll(request.source, request.end)
        return PageRead(
            page=page.page,
            postponed=bounded(str(rest.postponed)) if rest.postponed else None,
            digest=page.digest,
            records=page.records,
            seen=len(page.fresh),
            matched=page.matched + rest.matched,
            rejected=len(page.rejected) + len(rest.rejected),
            set_aside=set_aside,
            newest=page.newest,
            detections_only=page.detections_only,
        )

    async def _dispatch(self, request: ReadPage, result: IngestResult) -> int:
        """Signal every case; give the number of matches that had to be set aside.

        What the other lane has dispatched meanwhile is left out: their windows overlap.
        """
        async with self._turns[request.source]:
            self._ingest.drop_dispatched(result)
            self._telemetry.record_page(request.source, result)
            if result.rejected:
                await self._record([_build_record(request.source, one) for one in result.rejected])
            set_aside = await self._signal(request, result)
            self._ingest.mark_dispatched(result)
            return set_aside

    async def _record(self, records: Sequence[AuditRecord]) -> None:
        try:
            await self._audit.append(records)
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error

    async def _signal(self, request: ReadPage, result: IngestResult) -> int:
        slots = asyncio.Semaphore(_CONCURRENT_SIGNALS)
        timing = CaseTiming(linger=request.linger)

        async def signal(plan: CasePlan, matches: list[Match]) -> int:
            async with slots:
                if request.is_sweep:
                    matches = await self._cases.drop_known(plan.case_id, matches)
                try:
                    await self._cases.signal_matches(plan, matches, timing)
                except CaseRefused as error:
                    await self._record(describe_set_aside(plan, matches, error))
                    await self._set_aside.add(plan, matches, timing)
                    self._telemetry.record_set_aside(request.source, plan.case_id, len(matches))
                    return len(matches)
                return 0

        found = result.matches.values()
        return sum(await asyncio.gather(*(signal(plan, matches) for plan, matches in found)))


def _build_record(source: EventKind, rejection: Rejection) -> AuditRecord:
    return AuditRecord(
        id=f"rejected/{source}/{rejection.digest}",
        at=datetime.now(UTC),
        kind=RecordKind.EVENT_REJECTED,
        event=f"{source}/",
        detail=f"{rejection.reason}: {rejection.raw}",
    )
