"""Telling what became of a change to the rules: the audit, the log and `/metrics`."""

from datetime import UTC, datetime

import structlog
from temporalio.exceptions import ApplicationError

from activities.audit import AuditActivities, WriteRecords
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.texts import bounded
from clawback.rules.live import Change, LiveRules
from clawback.telemetry import metrics

log = structlog.get_logger("clawback")
_LONGEST = 2000


class RuleReloadReporter:
    """Records every set that was loaded or refused."""

    def __init__(self, rules: LiveRules, records: AuditActivities) -> None:
        self._rules = rules
        self._records = records

    async def loaded(self, change: Change) -> None:
        """Tell of one change; an audit that cannot be written is for the cases to wait for, not for the rules."""
        metrics.RULES_LOADED.set(len(self._rules.current.rules))
        metrics.RULES_REFUSED.set(change.new is None)
        metrics.RULES.info({"version": self._rules.current.version})
        if change.new is None:
            log.error("rules.refused", running=change.old, error=change.error)
        else:
            log.info(
                "rules.loaded", old=change.old, new=change.new, rules=len(self._rules.current.rules)
            )
        try:
            await self._records.append(WriteRecords(records=(_record(change),)))
        except ApplicationError as error:
            log.warning("rules.not_recorded", error=error)


def _record(change: Change) -> AuditRecord:
    now = datetime.now(UTC)
    detail = (
        f"{change.old or 'nothing'} → {change.new}"
        if change.new
        else f"{change.old} stays: {change.problem}"
    )
    return AuditRecord(
        id=f"rules/{now:%FT%T.%fZ}",
        at=now,
        kind=RecordKind.RULES_LOADED if change.new else RecordKind.RULES_REFUSED,
        rule_version=change.new or change.old,
        detail=bounded(detail, _LONGEST),
    )
