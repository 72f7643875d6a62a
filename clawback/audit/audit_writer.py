"""Writes audit records from asyncio code; calls made at the same moment share one write."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from clawback.audit.audit_log import AuditLog, AuditUnavailable, refuse_own_kinds
from clawback.batching import Batcher
from clawback.model.audit_record import AuditRecord

_RECORDS_PER_WRITE = 5000


class AuditWriter:
    """Appends records to the audit of this worker: at least once, in the order of each caller.

    `on_written` is called with the records that were new, after they are on the disk, `on_failed`
    after a write that failed.
    """

    def __init__(
        self,
        log: AuditLog,
        on_written: Callable[[Sequence[AuditRecord]], None],
        on_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._on_written = on_written
        self._on_failed = on_failed
        self._batcher = Batcher(
            self._write, _RECORDS_PER_WRITE, pause=timedelta(), busy=timedelta()
        )

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Append records; return when they are on the disk.

        Record ids are stable: a repeated write is dropped.

        Raises:
            AuditUnavailable: the file cannot be written; none of the records was.
            ValueError: a record is one that only the audit writes about itself.

        """
        # Before the batch, which other callers share.
        refuse_own_kinds(records)
        await self._batcher.ask(records)

    async def _write(self, records: Sequence[AuditRecord]) -> None:
        try:
            written = await asyncio.to_thread(self._log.append, records)
        except AuditUnavailable:
            self._on_failed()
            raise
        self._on_written(written)
