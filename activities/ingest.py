"""The activity that pollers run: read one page of the API and send its matches to their cases."""

import asyncio
from datetime import UTC, datetime

from temporalio import activity

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.cases import CasePlan, CaseTiming, Match
from clawback.ingest import Ingest, IngestResult, Rejection
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import PageRead, ReadPage
from clawback.model.texts import bounded
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error, audit_unavailable
from clawback.temporal.case_gateway import CaseGateway

_CONCURRENT_SIGNALS = 24
"""Enough to keep the server busy, few enough to leave capacity to others."""


class IngestActivities:
    """Turns records into matches. Safe to repeat: cases drop matches that they have."""

    def __init__(
        self,
        ingest: Ingest,
        cases: CaseGateway,
        audit: AuditWriter,
        telemetry: ActivityTelemetry,
    ) -> None:
        self._ingest = ingest
        self._audit = audit
        self._cases = cases
        self._telemetry = telemetry

    @activity.defn(name="email_security.read_page")
    async def read_page(self, request: ReadPage) -> PageRead:
        """Read one page, evaluate what is new on it, and signal the cases.

        What the page alone decides is dispatched first, before anything that needs more requests.
        """
        with as_application_error():
            page = await self._ingest.read(request)
        await self._dispatch(request, page)
        rest = await self._ingest.complete(page)
        await self._dispatch(request, rest)

        if page.page is None:
            self._telemetry.record_complete_poll(request.source, request.end)
        return PageRead(
            page=page.page,
            postponed=bounded(str(rest.postponed)) if rest.postponed else None,
            digest=page.digest,
            records=page.records,
            seen=len(page.fresh),
            matched=page.matched + rest.matched,
            rejected=len(page.rejected) + len(rest.rejected),
            newest=page.newest,
        )

    async def _dispatch(self, request: ReadPage, result: IngestResult) -> None:
        self._telemetry.record_page(request.source, result)
        if result.rejected:
            await self._record(request.source, result)
        await self._signal(result, CaseTiming(linger=request.linger))
        self._ingest.mark_dispatched(result)

    async def _record(self, source: EventKind, result: IngestResult) -> None:
        records = [_build_record(source, rejection) for rejection in result.rejected]
        try:
            await self._audit.append(records)
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error

    async def _signal(self, result: IngestResult, timing: CaseTiming) -> None:
        slots = asyncio.Semaphore(_CONCURRENT_SIGNALS)

        async def signal(plan: CasePlan, matches: list[Match]) -> None:
            async with slots:
                await self._cases.signal_matches(plan, matches, timing)

        await asyncio.gather(*(signal(plan, found) for plan, found in result.matches.values()))


def _build_record(source: EventKind, rejection: Rejection) -> AuditRecord:
    return AuditRecord(
        id=f"rejected/{source}/{rejection.digest}",
        at=datetime.now(UTC),
        kind=RecordKind.EVENT_REJECTED,
        event=f"{source}/",
        detail=f"{rejection.reason}: {rejection.raw}",
    )
