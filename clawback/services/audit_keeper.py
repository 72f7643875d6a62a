"""Publishes the head of the audit, and compresses and removes old files of it.

Whoever cuts lines off the end of the audit cannot reach what was published before.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from clawback.audit import (
    AuditLog,
    AuditUnavailable,
    AuditWriter,
    Head,
    compress_rotated,
    find_removable,
)
from clawback.model.audit_record import AuditRecord
from clawback.model.durations import format_duration
from clawback.model.loggable import LoggableText
from clawback.services.audit_shipper import AuditShipper, build_shipper
from clawback.settings import Settings
from clawback.shipping import read_cursor
from clawback.telemetry import metrics

LOOK_EVERY = timedelta(seconds=10)
"""How often the end of the audit is read: one lock and one stat if it has not grown."""
PUBLISH_EVERY = timedelta(minutes=5)
"""How often a new head is published at most, besides at each rotation."""
TIDY_EVERY = timedelta(minutes=10)
"""How often rotated files are compressed and old ones removed."""
log = structlog.get_logger("clawback")


class AuditKeeper:
    """The audit of one worker process: log and writer, and what must be done beside writing.

    `on_written` is called with the records that were new, after they are on the disk.
    """

    def __init__(
        self, settings: Settings, on_written: Callable[[Sequence[AuditRecord]], None]
    ) -> None:
        self.log = AuditLog(
            settings.audit_file,
            settings.audit_key,
            max_bytes=settings.audit_file_bytes,
            max_age=None if settings.audit_file_age == "off" else settings.audit_file_age,
        )
        self._keep = None if settings.audit_keep == "off" else settings.audit_keep
        self._keep_bytes = settings.audit_keep_bytes
        self._next_tidying = 0.0
        self._shipper = build_shipper(settings)
        self.writer = AuditWriter(self.log, on_written, metrics.AUDIT_FAILURES.inc)
        self._published: Head | None = None
        self._published_at = float("-inf")
        self._rotations = 0
        self._adopted = 0

    @property
    def published(self) -> str:
        """The head that was published last, shortened for people; empty if there is none."""
        return self._published.short if self._published else ""

    @property
    def shipper(self) -> AuditShipper | None:
        """What ships the audit, if the settings name a collector."""
        return self._shipper

    async def watch(self) -> None:
        """Publish the head and tidy up until cancelled."""
        while True:
            await self.look()
            if time.monotonic() >= self._next_tidying:
                self._next_tidying = time.monotonic() + TIDY_EVERY.total_seconds()
                await asyncio.to_thread(self.tidy)
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def look(self) -> None:
        """Publish the head if it is new, and long enough after the last one."""
        try:
            head = await asyncio.to_thread(self.log.read_head)
        except AuditUnavailable as error:
            log.warning("audit.head_unreadable", error=error)
            return

        if self.log.adopted != self._adopted:
            # People should let one of the two rotate; nothing is lost meanwhile.
            log.warning("audit.rotated_elsewhere", files=self.log.adopted - self._adopted)
            self._adopted = self.log.adopted

        has_rotated = self.log.rotations != self._rotations
        is_due = time.monotonic() - self._published_at >= PUBLISH_EVERY.total_seconds()
        if head is not None and head != self._published and (is_due or has_rotated):
            self._publish(head)

    def tidy(self) -> None:
        """Compress rotated files, and remove those that need not be kept. Blocks on the disk."""
        try:
            if packed := compress_rotated(self.log.path):
                log.info("audit.files_compressed", files=len(packed))
            self._remove_old()
        except (AuditUnavailable, OSError) as error:
            log.warning("audit.not_tidied", error=error)

    def _remove_old(self) -> None:
        # What the collector does not have yet stays, however old it is.
        shipped = read_cursor(self.log.path).sequence if self._shipper is not None else None
        old = find_removable(self.log.path, self._keep, shipped, most_bytes=self._keep_bytes)
        if old:
            self.log.remove_files(old, self._reason_to_remove)
            log.info("audit.files_removed", files=len(old))

    @property
    def _reason_to_remove(self) -> str:
        reasons: list[str] = []
        if self._keep is not None:
            reasons.append(f"older than {format_duration(self._keep)} (CLAWBACK_AUDIT_KEEP)")
        if self._keep_bytes is not None:
            size = f"{self._keep_bytes:,} bytes"
            reasons.append(f"beyond {size} in all (CLAWBACK_AUDIT_KEEP_BYTES)")
        return " or ".join(reasons)

    def _publish(self, head: Head) -> None:
        self._published, self._published_at = head, time.monotonic()
        self._rotations = self.log.rotations
        metrics.AUDIT_SEQUENCE.set(head.sequence)
        metrics.AUDIT_HEAD.info({"head": str(head)})
        log.info("audit.head_published", sequence=head.sequence, head=LoggableText(head))
