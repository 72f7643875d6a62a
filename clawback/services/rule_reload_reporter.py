"""Reports every reload of the rules to the audit, the log and `/metrics`."""

from datetime import UTC, datetime

import structlog

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.texts import bounded
from clawback.rules.live import LiveRules, Reload
from clawback.telemetry import metrics
from clawback.telemetry.metric_series import initialise_rules

log = structlog.get_logger("clawback")
_LONGEST_PROBLEM = 2000


class RuleReloadReporter:
    """Reports each rule set that was loaded or refused."""

    def __init__(self, rules: LiveRules, audit: AuditWriter) -> None:
        self._rules = rules
        self._audit = audit

    async def report(self, change: Reload) -> None:
        """Report one change.

        If the audit cannot be written, this only logs it: the rules are loaded all the same.
        """
        initialise_rules(self._rules.current)
        # Building blocks alone contain nothing, and are what is left if a mount lacks the rest.
        metrics.RULES_LOADED.set(self._rules.current.responding)
        # A gauge, so that an alert lasts until the files are right again.
        metrics.RULES_REFUSED.set(change.new is None)
        metrics.RULES.info({"version": self._rules.current.version})

        if change.new is None:
            log.error("rules.refused", running=change.old, error=change.error)
        elif change.is_recovery:
            log.info("rules.recovered", running=change.new)
        else:
            count = len(self._rules.current.rules)
            log.info("rules.loaded", old=change.old, new=change.new, rules=count)

        for rule in self._rules.current.weakened:
            mode = self._rules.current.mode_of(rule)
            log.warning("rules.status_not_allowed", rule=rule.name, mode=mode)

        try:
            await self._audit.append((_record(change),))
        except AuditUnavailable as error:
            log.warning("rules.not_recorded", error=error)


def _record(change: Reload) -> AuditRecord:
    now = datetime.now(UTC)
    if change.is_recovery:
        detail = f"{change.new} is on the disk again; the refusal is over"
    elif change.new:
        detail = f"{change.old or 'nothing'} → {change.new}"
    else:
        kept = "stays, with the new safety.yml" if change.has_new_safety else "stays"
        detail = f"{change.old} {kept}: {change.problem}"

    return AuditRecord(
        id=f"rules/{now:%FT%T.%fZ}",
        at=now,
        kind=RecordKind.RULES_LOADED if change.new else RecordKind.RULES_REFUSED,
        rule_version=change.new or change.old,
        detail=bounded(detail, _LONGEST_PROBLEM),
    )
