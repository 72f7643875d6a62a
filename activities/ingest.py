"""The activity that pollers run: read one page of the API and send its matches to their cases."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.cases import CasePlan, CaseTiming, Match
from clawback.ingest import Ingest, IngestResult, Rejection
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import Lane, PageRead, ReadPage, WatchPage
from clawback.model.texts import bounded
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error, audit_unavailable
from clawback.temporal.error_types import ErrorType
from clawback.temporal.match_gateway import MatchGateway, PlannedMatches, RefusedMatches
from clawback.temporal.set_aside_gateway import (
    CannotKeep,
    MatchesSetAside,
    SetAsideGateway,
    describe_refused,
)


class IngestActivities:
    """Turns records into matches. Safe to repeat: cases drop matches that they have."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        ingest: Ingest,
        matches: MatchGateway,
        set_aside: SetAsideGateway,
        audit: AuditWriter,
        telemetry: ActivityTelemetry,
        *,
        queue: str,
    ) -> None:
        """Take the collaborators, and the task queue that this worker alone reads from."""
        self._ingest = ingest
        self._audit = audit
        self._matches = matches
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
        refused = await self._dispatch(request, page)
        rest = await self._ingest.complete(page)
        refused += await self._dispatch(request, rest)
        given_up = refused[RecordKind.EVENT_REJECTED]

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
            rejected=len(page.rejected) + len(rest.rejected) + given_up,
            set_aside=refused[RecordKind.SET_ASIDE],
            newest=page.newest,
            detections_only=page.detections_only,
        )

    @activity.defn(name="email_security.watch_page")
    async def watch_page(self, request: WatchPage) -> PageRead:
        """Read the newest window as `read_page` does, and return once something is new, or late.

        Raises:
            ApplicationError: nothing is new. Temporal calls again after the interval, which costs
                no entry in the history of the poller.

        """
        info = activity.info()
        # Both times are the server's: the clock of this machine must not move the cursor.
        elapsed = info.current_attempt_scheduled_time - info.scheduled_time
        if not elapsed:
            raise _nothing_new(request.interval)

        end = request.page.end + elapsed
        read = await self.read_page(request.page.model_copy(update={"end": end}))
        # Calls come a little late each: the last one may be half an interval past the end.
        if read.is_quiet and elapsed + request.interval / 2 <= request.patience:
            raise _nothing_new(request.interval)
        return read.model_copy(update={"end": end})

    async def _dispatch(self, request: ReadPage, result: IngestResult) -> Counter[RecordKind]:
        """Send every match; count those that were set aside, and those that were given up.

        What the other lane has dispatched meanwhile is left out: their windows overlap.
        """
        async with self._turns[request.source]:
            self._ingest.drop_dispatched(result)
            self._telemetry.record_page(request.source, result)
            await self._record([_rejected(request.source, one) for one in result.rejected])
            timing = CaseTiming(linger=request.linger)
            found: list[PlannedMatches] = list(result.matches.values())
            if request.is_sweep:
                found = await self._matches.drop_known(found)
            refused = await self._matches.send(found, timing)
            await self._record([one for each in found for one in _counted(*each)])
            counts = Counter[RecordKind]()
            for one in refused:
                kind = await self._keep(request.source, one, timing)
                counts[kind] += len(one.matches)
            self._ingest.mark_dispatched(result)
            return counts

    async def _keep(
        self, source: EventKind, refused: RefusedMatches, timing: CaseTiming
    ) -> RecordKind:
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
        return kind

    async def _record(self, records: Sequence[AuditRecord]) -> None:
        if not records:
            return
        try:
            await self._audit.append(records)
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error


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


def _nothing_new(interval: timedelta) -> ApplicationError:
    return ApplicationError(
        "nothing new",
        type=ErrorType.NOTHING_NEW,
        next_retry_delay=interval,
        category=ApplicationErrorCategory.BENIGN,
    )


def _rejected(source: EventKind, rejection: Rejection) -> AuditRecord:
    return AuditRecord(
        id=f"rejected/{source}/{rejection.digest}",
        at=datetime.now(UTC),
        kind=RecordKind.EVENT_REJECTED,
        event=f"{source}/",
        detail=f"{rejection.reason}: {rejection.raw}",
    )
