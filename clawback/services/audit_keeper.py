"""Publishes the head of the audit: in the log, in the metrics, and through notices.

Whoever cuts lines off the end of the audit cannot reach what was published before.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from clawback.audit import AuditLog, AuditUnavailable, AuditWriter, Head
from clawback.model.audit_record import AuditRecord
from clawback.model.loggable import LoggableText
from clawback.settings import Settings
from clawback.telemetry import metrics

LOOK_EVERY = timedelta(seconds=10)
"""How often the end of the audit is read: one lock and one stat if it has not grown."""
PUBLISH_EVERY = timedelta(minutes=5)
"""How often a new head is published at most, besides at each rotation."""
log = structlog.get_logger("clawback")


class AuditKeeper:
    """The audit of one worker process: log and writer, and what must be done beside writing.

    `on_written` is called with the records that were new, after they are on the disk.
    """

    def __init__(
        self, settings: Settings, on_written: Callable[[Sequence[AuditRecord]], None]
    ) -> None:
        self.log = AuditLog(settings.audit_file, settings.audit_key)
        self.writer = AuditWriter(self.log, on_written)
        self._published: Head | None = None
        self._published_at = float("-inf")
        self._rotations = 0

    @property
    def published(self) -> str:
        """The head that was published last, shortened for people; empty if there is none."""
        return self._published.short if self._published else ""

    async def watch(self) -> None:
        """Publish the head until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def look(self) -> None:
        """Publish the head if it is new, and long enough after the last one."""
        try:
            head = await asyncio.to_thread(self.log.read_head)
        except AuditUnavailable as error:
            log.warning("audit.head_unreadable", error=error)
            return

        has_rotated = self.log.rotations != self._rotations
        is_due = time.monotonic() - self._published_at >= PUBLISH_EVERY.total_seconds()
        if head is not None and head != self._published and (is_due or has_rotated):
            self._publish(head)

    def _publish(self, head: Head) -> None:
        self._published, self._published_at = head, time.monotonic()
        self._rotations = self.log.rotations
        metrics.AUDIT_SEQUENCE.set(head.sequence)
        metrics.AUDIT_HEAD.info({"head": str(head)})
        log.info("audit.head_published", sequence=head.sequence, head=LoggableText(head))
