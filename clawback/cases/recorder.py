"""The audit records of a case, numbered and kept until they are written, and its timeline."""

from datetime import datetime
from typing import Any

from clawback.cases.plan import CasePlan
from clawback.cases.state import CaseSnapshot
from clawback.cases.timeline import Timeline
from clawback.model.audit_record import AuditRecord, RecordKind


class CaseRecorder:
    """Makes the records of one case."""

    def __init__(self, plan: CasePlan, snapshot: CaseSnapshot) -> None:
        self.uid = snapshot.uid
        self.count = snapshot.records
        self.pending = list(snapshot.pending_records)
        self.timeline = Timeline(snapshot.timeline)
        self._plan = plan

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {
            "uid": self.uid,
            "timeline": self.timeline.entries,
            "records": self.count,
            "pending_records": tuple(self.pending),
        }

    def note(self, kind: RecordKind, now: datetime, **fields: Any) -> None:
        """Make a record; its id is the number of the record within the case."""
        self.count += 1
        record = AuditRecord(
            id=f"{self.uid}/{self.count}",
            at=now,
            kind=kind,
            rule=self._plan.rule,
            rule_version=self._plan.version,
            case=self._plan.case_id,
            mode=self._plan.mode,
            **fields,
        )
        self.pending.append(record)
        self.timeline.note(record)

    def take(self) -> tuple[AuditRecord, ...]:
        """Hand over the records made since the last call."""
        records, self.pending = tuple(self.pending), []
        return records
