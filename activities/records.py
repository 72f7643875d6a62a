"""Writing down what cases decided and did: the audit, and the log line and counters that go with it."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.observing import Observing
from clawback.audit import AuditLog, AuditUnavailable
from clawback.payloads import Payload, bounded
from clawback.records import AuditRecord
from clawback.temporal.failures import ErrorType


class WriteRecords(Payload):
    """Records to write, in order. Ids are stable: a repeat writes the same ids again, and a reader drops them."""

    records: tuple[AuditRecord, ...]


class RecordActivities:
    """The audit of this worker. At least once, in order within a case."""

    def __init__(self, audit: AuditLog, observing: Observing) -> None:
        self._audit = audit
        self._observing = observing

    @activity.defn(name="records.append")
    async def append(self, request: WriteRecords) -> None:
        """Append records to the audit; a full or read-only disk is retried until it can be written."""
        try:
            written = await asyncio.to_thread(self._audit.append, request.records)
        except AuditUnavailable as error:
            raise ApplicationError(bounded(str(error)), type=ErrorType.AUDIT_UNAVAILABLE) from error
        self._observing.recorded(written)
