"""Sends the matches of pages, for a limited time, and each once though pages are read in parallel.

What is left belongs to whoever reads the page again: nothing that is in this process alone is owed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.cases import CasePlan, CaseTiming, Match
from clawback.ingest import IngestMemory, IngestResult, Rejection
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import ReadPage
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.telemetry.tracing import Attributes, Step, trace
from clawback.temporal.application_errors import audit_unavailable
from clawback.temporal.fan_out import CONCURRENT_SIGNALS, call_until
from clawback.temporal.match_gateway import (
    Delivery,
    MatchGateway,
    PlannedMatches,
    RefusedMatches,
    group_by_recipient,
)
from clawback.temporal.set_aside_gateway import (
    CannotKeep,
    MatchesSetAside,
    SetAsideGateway,
    describe_refused,
)


@dataclass
class Dispatched:
    """How many matches of a page were sent, set aside, given up, and left unsent."""

    sent: int = 0
    set_aside: int = 0
    rejected: int = 0
    unsent: int = 0

    def __add__(self, other: "Dispatched") -> "Dispatched":
        """Add what became of other matches of the page."""
        return Dispatched(
            self.sent + other.sent,
            self.set_aside + other.set_aside,
            self.rejected + other.rejected,
            self.unsent + other.unsent,
        )


class PageDispatcher:
    """Sends matches to their cases and to what counts them.

    Lanes read pages in parallel, and their windows overlap. So one delivery to a recipient is under
    way at a time, and leaves out what those before it have sent.
    """

    def __init__(
        self,
        matches: MatchGateway,
        set_aside: SetAsideGateway,
        memory: IngestMemory,
        audit: AuditWriter,
        telemetry: ActivityTelemetry,
    ) -> None:
        self._matches = matches
        self._set_aside = set_aside
        self._memory = memory
        self._audit = audit
        self._telemetry = telemetry
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send(self, request: ReadPage, page: IngestResult, deadline: float) -> Dispatched:
        """Send the matches of a page until a time of the event loop's clock.

        Raises:
            ApplicationError: the audit cannot be written.
            RPCError: the server does not answer.

        """
        found: list[PlannedMatches] = list(page.matches.values())
        if request.is_sweep:
            found = await self._matches.drop_known(found)
        counts = Dispatched()

        steps = (Step("poll.fetch", page.fetched), Step("rules.evaluate", page.evaluated))

        async def deliver(delivery: Delivery) -> None:
            with trace("poll.matched", _describe(request, delivery), steps):
                await self._deliver(request, delivery, counts)

        deliveries = group_by_recipient(found)
        left = await call_until(deliver, deliveries, CONCURRENT_SIGNALS, deadline)
        unsent = {match.key for one in left for _, matches in one.found for match in matches}
        await self._finish(request.source, page, counts, unsent)
        counts.unsent = sum(len(matches) for one in left for _, matches in one.found)
        return counts

    async def _deliver(self, request: ReadPage, delivery: Delivery, counts: Dispatched) -> None:
        async with self._turns.setdefault(delivery.recipient, asyncio.Lock()):
            found = self._drop_sent(delivery.found)
            timing = CaseTiming(linger=request.linger)
            refused = await self._matches.deliver(delivery._replace(found=found), timing)
            await self._record([record for plan, some in found for record in _counted(plan, some)])
            for one in refused:
                await self._keep(request.source, one, timing, counts)

            # Only now, and without a pause in between: what is counted is remembered.
            for plan, matches in found:
                counts.sent += len(matches)
                self._memory.add_sent(plan.case_id, matches)
                self._telemetry.record_sent(plan.rule, len(matches))

    def _drop_sent(self, found: Sequence[PlannedMatches]) -> list[PlannedMatches]:
        left = ((plan, self._memory.drop_sent(plan.case_id, matches)) for plan, matches in found)
        return [(plan, matches) for plan, matches in left if matches]

    async def _keep(
        self, source: EventKind, refused: RefusedMatches, timing: CaseTiming, counts: Dispatched
    ) -> None:
        """Set matches aside. What cannot even be kept is given up, so that the page is finished."""
        plan, matches, error = refused
        batch = MatchesSetAside(plan=plan, timing=timing, matches=tuple(matches))
        kind, why = RecordKind.SET_ASIDE, str(error)
        try:
            await self._set_aside.add(batch)
        except CannotKeep as unkept:
            kind, why = RecordKind.EVENT_REJECTED, str(unkept)

        await self._record(describe_refused(batch, kind, why))
        self._telemetry.record_refused(source, plan.case_id, kind, len(matches))
        if kind is RecordKind.SET_ASIDE:
            counts.set_aside += len(matches)
        else:
            counts.rejected += len(matches)

    async def _finish(
        self, source: EventKind, page: IngestResult, counts: Dispatched, unsent: set[str]
    ) -> None:
        """Count and remember what is new on a page, apart from its matches."""
        await self._record([_rejected(source, one) for one in page.rejected])
        self._memory.drop_known(page)
        self._telemetry.record_page(source, page, counts.sent)
        self._memory.add(page, unsent)

    async def _record(self, records: Sequence[AuditRecord]) -> None:
        if not records:
            return
        try:
            await self._audit.append(records)
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error


def _describe(request: ReadPage, delivery: Delivery) -> Attributes:
    return {
        "clawback.source": request.source.value,
        "clawback.lane": request.lane.value,
        "clawback.rules": sorted({plan.rule for plan, _ in delivery.found}),
        "clawback.recipient": delivery.recipient,
        "clawback.matches": sum(len(matches) for _, matches in delivery.found),
    }


def _counted(plan: CasePlan, matches: Sequence[Match]) -> list[AuditRecord]:
    """Build the records of matches that a correlation counts."""
    if plan.correlation is None:
        return []
    case = plan.case_id
    return [
        AuditRecord(
            id=f"counted/{case}/{match.key}/{match.rule}",
            at=match.seen_at,
            kind=RecordKind.EVENT_COUNTED,
            rule=plan.rule,
            rule_version=plan.version,
            case=case,
            mode=plan.mode,
            event=match.key,
        )
        for match in matches
    ]


def _rejected(source: EventKind, rejection: Rejection) -> AuditRecord:
    return AuditRecord(
        id=f"rejected/{source}/{rejection.digest}",
        at=datetime.now(UTC),
        kind=RecordKind.EVENT_REJECTED,
        event=f"{source}/",
        detail=f"{rejection.reason}: {rejection.raw}",
    )
