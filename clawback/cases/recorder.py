"""The audit records of a case, kept until they are written, and its timeline."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clawback.actions import Scope
from clawback.actions.outcomes import TOOK_EFFECT, failed
from clawback.cases.plan import CasePlan, Match
from clawback.cases.state import ActionStep, CaseSnapshot
from clawback.cases.timeline import Timeline
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.record_ids import RecordIds


class CaseRecorder:
    """Makes the records of one case."""

    def __init__(self, plan: CasePlan, snapshot: CaseSnapshot) -> None:
        self.uid = snapshot.uid
        self._run = snapshot.runs
        self.pending = list(snapshot.pending_records)
        self.timeline = Timeline(snapshot.timeline)
        self._ids = RecordIds(self.uid, self._run)
        self._plan = plan

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {
            "uid": self.uid,
            "timeline": self.timeline.entries,
            "runs": self._run + 1,
            "pending_records": tuple(self.pending),
        }

    def note(self, kind: RecordKind, now: datetime, **fields: Any) -> None:
        """Make a record."""
        record = AuditRecord(
            id="",
            at=now,
            kind=kind,
            rule=self._plan.rule,
            rule_version=self._plan.version,
            case=self._plan.case_id,
            mode=self._plan.mode,
            **fields,
        )
        self.pending.append(self._ids.identify(record))
        self.timeline.note(record)

    def note_outcomes(
        self,
        step: ActionStep,
        outcomes: Mapping[str, str],
        now: datetime,
        detail: str | None = None,
    ) -> None:
        """Make a record of each outcome of a step, by subject; `detail` says why it failed."""
        targets = {target.id: target for target in step.targets}
        for subject, outcome in outcomes.items():
            has_effect, target = outcome in TOOK_EFFECT, targets.get(subject)
            change: dict[str, Any] = step.action.audit_change(target) if has_effect else {}
            if has_effect and target is not None:
                change = {**change, "arrived_at": target.at}
            fields = {"action": step.name, "target": subject, "outcome": outcome}
            self.note(RecordKind.ACTED, now, detail=detail, **fields, **change)

    def note_missing_message(self, match: Match, now: datetime) -> None:
        """Record that nothing can be done about the message of a match that has none."""
        for action in self._plan.actions:
            if action.scope is Scope.MESSAGE:
                fields = {"event": match.key, "action": action.name}
                self.note(RecordKind.ACTED, now, **fields, outcome=failed("no_message"))

    def take(self) -> tuple[AuditRecord, ...]:
        """Hand over the records made since the last call."""
        records, self.pending = tuple(self.pending), []
        return records
