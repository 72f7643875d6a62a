"""Ids of audit records that are written by a workflow."""

import hashlib
from collections import Counter

from clawback.model.audit_record import AuditRecord

_DIGITS = 16
# A workflow task that is taken again has another time, and perhaps another trace.
_INCIDENTAL = {"id", "at", "trace_id"}


class RecordIds:
    """Gives each record of one run of a workflow an id made of what it says, not of its order.

    A worker that dies between a write and the end of its workflow task leaves records that no
    history knows. The task is taken again, together with whatever arrived meanwhile, and makes the
    same records in another order. A number, or a random id of the workflow, would then be that of
    another record, which would be dropped as a repeat, and the first would be written twice.
    """

    def __init__(self, prefix: str, run: str | int) -> None:
        """`prefix` begins every id; `run` is what no other run with that prefix has."""
        self._prefix, self._run = prefix, run
        self._given: Counter[str] = Counter()

    def identify(self, record: AuditRecord) -> AuditRecord:
        """Return the record with its id. A record that says the same once more gets another one."""
        content = record.model_dump_json(exclude=_INCIDENTAL, exclude_none=True)
        digest = hashlib.sha256(f"{self._run}\0{content}".encode()).hexdigest()[:_DIGITS]
        self._given[digest] += 1
        again = self._given[digest]
        id_ = f"{self._prefix}/{digest}" + (f"-{again}" if again > 1 else "")
        return record.model_copy(update={"id": id_})
