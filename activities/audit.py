"""Writing down what cases decided and did.

The audit, and the log line and counters that go with it.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from clawback.audit import AuditLog, AuditUnavailable
from clawback.model.audit_record import AuditRecord
from clawback.model.payload import Payload
from clawback.model.texts import bounded
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.batching import Batcher
from clawback.temporal.error_types import ErrorType

_MOST_AT_ONCE = 5000


class WriteRecords(Payload):
    """Records to write, in order.

    Ids are stable: a repeat writes the same ids again, and a reader drops them.
    """

    records: tuple[AuditRecord, ...]


class AuditActivities:
    """The audit of this worker.

    At least once, in order within a case; cases that write at the same moment share one write to
    the disk.
    """

    def __init__(self, audit: AuditLog, observing: ActivityTelemetry) -> None:
        self._audit = audit
        self._observing = observing
        self._writing = Batcher(self._write, _MOST_AT_ONCE, pause=timedelta(), busy=timedelta())

    @activity.defn(name="records.append")
    async def append(self, request: WriteRecords) -> None:
        """Append records to the audit.

        A full or read-only disk is retried until it can be written.
        """
        try:
            await self._writing.ask(request.records)
        except AuditUnavailable as error:
            raise ApplicationError(bounded(str(error)), type=ErrorType.AUDIT_UNAVAILABLE) from error

    async def _write(self, records: Sequence[AuditRecord]) -> None:
        self._observing.record_audit(await asyncio.to_thread(self._audit.append, records))
