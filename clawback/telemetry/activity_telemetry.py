"""What activities tell the outside.

Counters, lags and log events, in one place so that the activities stay thin.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from clawback.cases.state import MOVED
from clawback.guard import Reservation, ReservationResult
from clawback.ingest import IngestResult
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.telemetry import metrics

log = structlog.get_logger("clawback")
_ACTIONS = {RecordKind.ACTED, RecordKind.WOULD_HAVE_ACTED, RecordKind.NOTIFIED}
_QUIET = {RecordKind.EVENT_JOINED, RecordKind.CASE_OPENED, RecordKind.CASE_CLOSED}


class ActivityTelemetry:
    """Counts and logs what was read, done and recorded.

    Nothing here can fail an activity or change its result.
    """

    def read(self, source: EventKind, taken: IngestResult) -> None:
        """Count a page: what was new on it, how late it was, what matched."""
        now = datetime.now(UTC)
        metrics.EVENTS_SEEN.labels(source.value).inc(len(taken.fresh))
        metrics.EVENTS_REJECTED.labels(source.value).inc(len(taken.rejected))
        for event in taken.alone:
            metrics.EVENTS_UNJOINED.labels(source.value).inc()
            log.info("poll.message_not_found", source=source.value, about=event.id)
        for _, reason in taken.skipped:
            metrics.EVENTS_SKIPPED.labels(source.value, reason).inc()
        for event in (
            taken.fresh if source is not EventKind.SUBMISSION else ()
        ):  # nothing tells when a submission changed
            metrics.INGEST_LAG.observe(max(0.0, (now - event.at).total_seconds()))
        for plan, matches in taken.matches.values():
            metrics.MATCHES.labels(plan.rule).inc(len(matches))
        if taken.fresh or taken.rejected:
            log.info(
                "poll.page_read",
                source=source.value,
                fresh=len(taken.fresh),
                matched=taken.matched,
                rejected=len(taken.rejected),
            )

    def polled(self, source: EventKind, drained_at: datetime) -> None:
        """Set the age of the last complete poll, which grows until the next."""

        def age() -> float:
            return (datetime.now(UTC) - drained_at).total_seconds()

        metrics.POLL_LAG.labels(source.value).set_function(age)

    def guarded(self, ask: Reservation, answer: ReservationResult) -> None:
        """Count what the guard refused, and say why."""
        if not answer.granted:
            metrics.GUARD_REFUSALS.labels(ask.rule, ask.spend.value).inc()
            log.warning(
                "guard.refused",
                rule=ask.rule,
                spend=ask.spend.value,
                count=ask.count,
                why=answer.reason,
            )

    def moved(self, outcomes: Mapping[str, str], seen_at: Mapping[str, datetime]) -> None:
        """Time the way from seeing a message to its move being accepted."""
        now = datetime.now(UTC)
        for target, outcome in outcomes.items():
            if outcome == MOVED and target in seen_at:
                metrics.CONTAINMENT_LAG.observe((now - seen_at[target]).total_seconds())

    def recorded(self, records: Sequence[AuditRecord]) -> None:
        """Count records by kind and actions by outcome, and log what a person would want to read."""
        for record in records:
            metrics.AUDIT_RECORDS.labels(record.kind.value).inc()
            if record.kind in _ACTIONS:
                outcome = (record.outcome or "would").partition(":")[0]
                metrics.ACTIONS.labels(record.action or "", outcome, record.mode or "").inc()
            if record.kind is RecordKind.UNDONE and not (record.outcome or "").startswith("failed"):
                metrics.ACTIONS_UNDONE.labels(record.rule or "").inc()
            say = log.debug if record.kind in _QUIET else log.info
            say(f"case.{record.kind}", **_said(record))


def _said(record: AuditRecord) -> dict[str, Any]:
    said = record.model_dump(
        include={"rule", "case", "mode", "action", "outcome", "detail"}, exclude_none=True
    )
    return {**said, "target": record.target} if record.target and "@" not in record.target else said


class RetryCountInterceptor(Interceptor):
    """Counts every attempt of an activity after its first."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the base class names it
        """Wrap the execution of activities."""
        return _Counting(next)


class _Counting(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the base class names it
        info = activity.info()
        if info.attempt > 1:
            metrics.ACTIVITY_RETRIES.labels(info.activity_type).inc()
        with structlog.contextvars.bound_contextvars(
            workflow=info.workflow_id, activity=info.activity_type, attempt=info.attempt
        ):
            try:
                return await super().execute_activity(input)
            except ApplicationError as error:
                log.warning("activity.failed", type=error.type, why=error.message)
                raise
