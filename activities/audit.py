"""The activity that appends records to the audit."""

from collections.abc import Sequence

from temporalio import activity

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.model.audit_record import AuditRecord
from clawback.model.payload import Payload
from clawback.telemetry.tracing import current_trace_id
from clawback.temporal.application_errors import audit_unavailable


class WriteRecords(Payload):
    """Records to write, in order. Their ids are stable, so a repeat writes nothing twice."""

    records: tuple[AuditRecord, ...]


class AuditActivities:
    """Writes the audit of this worker. Runs as a local activity: it waits for a disk only."""

    def __init__(self, writer: AuditWriter) -> None:
        self._writer = writer

    @activity.defn(name="audit.append_records")
    async def append_records(self, request: WriteRecords) -> None:
        """Append records to the audit file.

        Raises:
            ApplicationError: the disk is full or read-only; the engine retries until it is not.

        """
        try:
            await self._writer.append(_in_trace(request.records))
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error


def _in_trace(records: Sequence[AuditRecord]) -> Sequence[AuditRecord]:
    """Name the trace of the case, if it is in one."""
    trace_id = current_trace_id()
    if trace_id is None:
        return records
    return [record.model_copy(update={"trace_id": trace_id}) for record in records]
