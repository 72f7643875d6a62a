"""Metrics and log events of activities, in one place so that the activities stay thin."""

import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from clawback.actions.outcomes import GONE, MOVED, WOULD
from clawback.guard import Reservation, ReservationResult
from clawback.ingest import IngestResult
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import SOURCES, EventKind
from clawback.model.mode import Mode
from clawback.model.polling import Lane
from clawback.telemetry import metric_series, metrics
from clawback.telemetry.exemplars import exemplar

log = structlog.get_logger("clawback")

_BACKLOG_KNOWN = timedelta(minutes=5)

_ACTION_KINDS = {RecordKind.ACTED, RecordKind.WOULD_HAVE_ACTED, RecordKind.NOTIFIED}
_DEBUG_KINDS = {
    RecordKind.EVENT_COUNTED,
    RecordKind.EVENT_JOINED,
    RecordKind.CASE_OPENED,
    RecordKind.CASE_CLOSED,
}


class ActivityTelemetry:
    """Counts and logs what activities did. It cannot fail an activity or change its result."""

    def record_page(self, source: EventKind, page: IngestResult, matched: int) -> None:
        """Count a page: what was new, how late it was; `matched` were sent to their cases."""
        metrics.EVENTS_SEEN.labels(source.value).inc(len(page.fresh))
        metrics.EVENTS_REJECTED.labels(source.value).inc(len(page.rejected))
        for _, reason in page.skipped:
            metrics.EVENTS_SKIPPED.labels(source.value, reason).inc()
        self._record_unjoined(source, page)
        self._record_lag(source, page)

        if page.fresh or page.rejected:
            log.info(
                "poll.page_read",
                source=source.value,
                fresh=len(page.fresh),
                matched=matched,
                rejected=len(page.rejected),
            )

    def record_sent(self, rule: str, matches: int) -> None:
        """Count matches that have reached their case, or what counts them."""
        metrics.MATCHES.labels(rule).inc(matches)

    def record_unsent(self, source: EventKind, lane: Lane, matches: int) -> None:
        """Count matches of a page that could not be sent in time; the page is read again."""
        metrics.MATCHES_UNSENT.labels(source.value).inc(matches)
        log.warning("poll.unsent", source=source.value, lane=lane, matches=matches)

    def record_refused(
        self, source: EventKind, case_id: str, kind: RecordKind, matches: int
    ) -> None:
        """Count and log matches that a case did not take: set aside, or rejected for good."""
        is_kept = kind is RecordKind.SET_ASIDE
        counter = metrics.MATCHES_SET_ASIDE if is_kept else metrics.EVENTS_REJECTED
        counter.labels(source.value).inc(matches)
        event = "poll.set_aside" if is_kept else "poll.match_rejected"
        log.error(event, source=source.value, case=case_id, matches=matches)

    def record_complete_poll(self, source: EventKind, drained_at: datetime) -> None:
        """Set the age of the last complete poll, which grows until the next."""

        def age() -> float:
            return (datetime.now(UTC) - drained_at).total_seconds()

        metrics.POLL_LAG.labels(source.value).set_function(age)

    def record_backlog(self, source: EventKind, backlog: timedelta) -> None:
        """Set how much a poller has still to read; another worker may take over the reading."""
        read_at = time.monotonic()

        def seconds() -> float:
            is_known = time.monotonic() - read_at < _BACKLOG_KNOWN.total_seconds()
            return backlog.total_seconds() if is_known else math.nan

        metrics.POLL_BACKLOG.labels(source.value).set_function(seconds)

    def record_reservation(self, request: Reservation, result: ReservationResult) -> None:
        """Count and log what the guard refused, and what it took from the reserve."""
        if result.is_reserve:
            metrics.GUARD_RESERVE_GRANTS.labels(request.rule, request.budget.value).inc()
        if result.granted:
            return
        cause = "" if result.cause is None else result.cause.value
        metrics.GUARD_REFUSALS.labels(
            request.rule, request.level.value, request.budget.value, cause
        ).inc()
        log.warning(
            "guard.refused",
            rule=request.rule,
            level=request.level,
            budget=request.budget,
            count=request.count,
            cause=cause,
        )
        log.debug("guard.refusal_explained", rule=request.rule, reason=result.reason)

    def record_moves(
        self, outcomes: Mapping[str, str], visible_at: Mapping[str, datetime], mode: Mode
    ) -> None:
        """Time the way of messages from when they could be read to their move."""
        now = datetime.now(UTC)
        histogram = metrics.CONTAINMENT_DURATION.labels(mode.value)
        for target, outcome in outcomes.items():
            if outcome == MOVED and target in visible_at:
                seconds = max(0.0, (now - visible_at[target]).total_seconds())
                histogram.observe(seconds, exemplar())

    def record_strangers(self, count: int) -> None:
        """Count and log messages that a search returned without having been asked for them."""
        if count:
            metrics.SEARCH_STRANGERS.inc(count)
            log.warning("search.strangers", messages=count)

    def record_audit(self, records: Sequence[AuditRecord]) -> None:
        """Count audit records by kind and actions by outcome, and log what people want to read."""
        for record in records:
            metrics.AUDIT_RECORDS.labels(record.kind.value).inc()
            if record.kind in _ACTION_KINDS:
                outcome = metric_series.outcome_label(record.outcome or WOULD)
                metrics.ACTIONS.labels(record.action or "", outcome, record.mode or "").inc()
            if record.kind is RecordKind.NOTIFIED:
                metrics.NOTIFICATIONS.labels(_channel_of(record), _outcome_word(record)).inc()
            if record.kind is RecordKind.UNDONE and _outcome_word(record) not in {"failed", GONE}:
                metrics.ACTIONS_UNDONE.labels(record.rule or "").inc()
            _log_record(record)

    @staticmethod
    def _record_unjoined(source: EventKind, page: IngestResult) -> None:
        for event in page.unjoined:
            metrics.EVENTS_UNJOINED.labels(source.value).inc()
            log.info("poll.message_not_found", source=source.value, report=event.id)

    @staticmethod
    def _record_lag(source: EventKind, page: IngestResult) -> None:
        if not SOURCES[source].has_change_time:
            return
        now = datetime.now(UTC)
        for event in (one for one in page.fresh if one.is_dated):
            seconds = max(0.0, (now - event.at).total_seconds())
            metrics.INGEST_DURATION.observe(seconds, exemplar())


def _channel_of(record: AuditRecord) -> str:
    """Name the channel. Reporters are one: their records name them by a hash."""
    target = record.target or ""
    return metric_series.channel_label("reporters" if target.startswith("reporter/") else target)


def _outcome_word(record: AuditRecord) -> str:
    """Return the outcome without its reason, which may quote the API."""
    return (record.outcome or "").partition(":")[0]


def _log_record(record: AuditRecord) -> None:
    """Log a record without its free texts, and those at debug."""
    event = f"case.{record.kind}" if record.case else f"audit.{record.kind}"
    fields: dict[str, Any] = record.model_dump(
        include={"rule", "case", "mode", "action"}, exclude_none=True
    )
    if record.outcome:
        fields["outcome"] = _outcome_word(record)
    if record.target:
        fields["message"] = record.target

    (log.debug if record.kind in _DEBUG_KINDS else log.info)(event, **fields)
    if record.detail or ":" in (record.outcome or ""):
        log.debug(
            "audit.record_explained", id=record.id, outcome=record.outcome, detail=record.detail
        )
