"""The activity that appends records to the audit."""

from temporalio import activity

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.model.audit_record import AuditRecord
from clawback.model.payload import Payload
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
            await self._writer.append(request.records)
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error
