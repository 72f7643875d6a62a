"""The activity that reconciles the policy lists of the account with what we know of."""

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import structlog
from temporalio import activity

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import OURSELVES, Actor
from clawback.model.mode import Mode
from clawback.model.reconciliation import PolicyState, ReconcileFor, Reconciliation
from clawback.telemetry import metrics
from clawback.temporal.application_errors import as_application_error, audit_unavailable
from clawback.temporal.expiry_gateway import ACTION_OF
from clawback.temporal.reconciler import Comparison, FoundEntry, Reconciler

_KNOWN_FOR = timedelta(hours=25)
"""A little longer than the time to the next daily run, which another worker may make."""
log = structlog.get_logger("clawback")


class ReconciliationActivities:
    """Adopts entries of ours that nothing would end; reports what people have changed.

    While its ceiling is shadow, an installation adopts only what a person lets it: it may have
    seen its account for the first time.
    """

    def __init__(self, reconciler: Reconciler, audit: AuditWriter, ceiling: Mode) -> None:
        self._reconciler = reconciler
        self._audit = audit
        self._may_adopt = ceiling is not Mode.SHADOW

    @activity.defn(name="email_security.reconcile_policies")
    async def reconcile_policies(self, request: ReconcileFor) -> Reconciliation:
        """Read each policy list once, compare, adopt and close. Safe to repeat.

        Raises:
            ApplicationError: the audit cannot be written; nothing was adopted.

        """
        actor = request.actor or OURSELVES
        is_person = request.dry_run or request.actor is not None
        with as_application_error():
            found = await self._reconciler.compare(adopts=self._may_adopt or is_person)
            if not request.dry_run:
                await self._record(found, actor, request.reason)
                found = await self._reconciler.carry_out(found, actor)

        result = found.summarize(datetime.now(UTC), dry_run=request.dry_run)
        _report(result)
        return result

    async def _record(self, found: Comparison, actor: Actor, reason: str) -> None:
        """Record before anything is done, as of every change."""
        try:
            await self._audit.append(tuple(_records(found, actor, reason)))
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error


def _records(found: Comparison, actor: Actor, reason: str) -> Iterator[AuditRecord]:
    run = activity.info().workflow_run_id
    for one in found.of(PolicyState.ADOPTED):
        detail = f"until {one.shown.expires_at:%FT%TZ}" + (f" · {reason}" if reason else "")
        yield _record(one, RecordKind.POLICY_ADOPTED, f"adopted/{run}", actor, detail)
    for one in found.of(PolicyState.CHANGED):
        # The same id as long as it stays as it is: it is reported once.
        detail = "somebody has edited it or its comments since clawback made it"
        yield _record(one, RecordKind.POLICY_CHANGED, f"changed/{one.content}", OURSELVES, detail)


def _record(one: FoundEntry, kind: RecordKind, id_: str, actor: Actor, detail: str) -> AuditRecord:
    return AuditRecord(
        id=f"{id_}/{one.shown.resource}/{one.shown.id}",
        at=datetime.now(UTC),
        kind=kind,
        rule=one.shown.rule or None,
        case=one.shown.case or None,
        action=ACTION_OF[one.shown.resource],
        target=one.shown.id,
        detail=detail,
        **actor.audit_fields,
    )


def _until_stale(count: int) -> Callable[[], float]:
    """Return a count for as long as no other worker can have found a newer one."""
    counted_at = time.monotonic()

    def current() -> float:
        is_known = time.monotonic() - counted_at < _KNOWN_FOR.total_seconds()
        return count if is_known else math.nan

    return current


def _report(result: Reconciliation) -> None:
    # A dry run counts as adopted what it leaves as it is: the alert about that must go on.
    if not result.dry_run:
        for state in PolicyState:
            metrics.POLICIES.labels(state.value).set_function(_until_stale(result.count(state)))

    log.info(
        "policies.reconciled",
        dry_run=result.dry_run,
        **{state.value: result.count(state) for state in PolicyState},
    )
    for resource, error_type in result.unread.items():
        log.warning("policies.list_unread", kind=resource, error_type=error_type)
