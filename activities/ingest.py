"""Reading a page and dispatching its matches: what pollers run.

One page of the API to an activity.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime

from temporalio import activity

from activities.audit import AuditActivities, WriteRecords
from clawback.cases import CaseTiming
from clawback.ingest import Ingest, IngestResult, Rejection
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import PageRead, ReadPage
from clawback.model.texts import bounded
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error
from clawback.temporal.case_gateway import CaseGateway

_AT_ONCE = 24
"""Cases signalled at the same time.

Enough to keep the server busy, few enough to leave it to others.
"""


class IngestActivities:
    """Everything that turns records into matches.

    Each may be repeated: cases drop what they have.
    """

    def __init__(
        self,
        intake: Ingest,
        cases: CaseGateway,
        records: AuditActivities,
        observing: ActivityTelemetry,
    ) -> None:
        self._intake = intake
        self._records = records
        self._cases = cases
        self._observing = observing

    @activity.defn(name="email_security.read_page")
    async def read_page(self, request: ReadPage) -> PageRead:
        """Read one page, evaluate what is new on it, and tell the cases.

        First what is certain, then what took further requests.
        """
        with as_application_error():
            page = await self._intake.read(request)
        await self._tell(request, page)
        rest = await self._intake.complete(page)
        await self._tell(request, rest)
        if page.page is None:
            self._observing.record_complete_poll(request.source, request.end)
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

    async def _tell(self, request: ReadPage, taken: IngestResult) -> None:
        self._observing.record_page(request.source, taken)
        if taken.rejected:
            rejected = tuple(_rejected(request.source, rejection) for rejection in taken.rejected)
            await self._records.append(WriteRecords(records=rejected))
        await self._dispatch(taken, CaseTiming(linger=request.linger))
        self._intake.dispatched(taken)

    async def _dispatch(self, taken: IngestResult, pace: CaseTiming) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(call: Awaitable[None]) -> None:
            async with room:
                await call

        await _all(
            one(self._cases.signal_matches(plan, matches, pace))
            for plan, matches in taken.matches.values()
        )


async def _all(calls: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*calls)


def _rejected(source: EventKind, rejection: Rejection) -> AuditRecord:
    return AuditRecord(
        id=f"rejected/{source}/{rejection.digest}",
        at=datetime.now(UTC),
        kind=RecordKind.EVENT_REJECTED,
        event=f"{source}/",
        detail=f"{rejection.reason}: {rejection.raw}",
    )
