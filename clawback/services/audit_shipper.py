"""Ships the audit of this worker to a collector, and says how far that is behind.

It never blocks a writer: it reads the files, and what is not shipped yet stays in them.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from clawback.audit import AuditLine, Backlog
from clawback.settings import Settings
from clawback.shipping import (
    Collector,
    CollectorUnavailable,
    HttpCollector,
    SyslogCollector,
    read_cursor,
    write_cursor,
)
from clawback.telemetry import metrics

LOOK_EVERY = timedelta(seconds=5)
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
SYSLOG_TLS_PORT = 6514
log = structlog.get_logger("clawback")


class AuditShipper:
    """Ships one audit, at least once and in order. Of several processes on one file, one ships."""

    def __init__(self, path: Path, collector: Collector) -> None:
        self._path = path
        self._collector = collector
        self._backlog = Backlog(path)
        self._cursor = read_cursor(path)
        self._waiting_since: datetime | None = None
        self._is_troubled = False
        metrics.AUDIT_UNSHIPPED_SECONDS.set_function(self._age)

    async def watch(self) -> None:
        """Ship until cancelled."""
        pause = FIRST_PAUSE
        lock: int | None = None
        try:
            while True:
                lock = lock if lock is not None else _try_lock(self._path)
                wait = LOOK_EVERY
                if lock is not None:
                    asked = await self._ship_all()
                    pause = min(pause * 2, LONGEST_PAUSE) if self._is_troubled else FIRST_PAUSE
                    wait = max(asked, pause) if self._is_troubled else LOOK_EVERY
                await asyncio.sleep(wait.total_seconds())
        finally:
            if lock is not None:
                os.close(lock)

    async def _ship_all(self) -> timedelta:
        """Ship what there is; return how long the collector asked to wait."""
        try:
            while await self.ship():
                pass
        except CollectorUnavailable as error:
            self._note_trouble(error)
            return error.retry_after or timedelta()
        except OSError as error:
            self._note_trouble(error)
        return timedelta()

    async def ship(self) -> int:
        """Ship one batch; return its size.

        Raises:
            CollectorUnavailable: the collector may not have it.
            OSError: the audit cannot be read, or the cursor not written.

        """
        batch = await asyncio.to_thread(self._backlog.read, self._cursor)
        if not batch:
            self._waiting_since = None
            return 0

        self._waiting_since = batch[0].at
        self._note_gap(batch)
        await self._collector.send(batch)
        # After the collector has it: a crash in between repeats the batch.
        await asyncio.to_thread(write_cursor, self._path, batch[-1].head)
        self._cursor = batch[-1].head
        self._note_success()
        return len(batch)

    def _note_gap(self, batch: Sequence[AuditLine]) -> None:
        first = batch[0]
        if first.previous != self._cursor.hash and not self._is_troubled:
            log.warning(
                "audit.shipping_gap", shipped=self._cursor.sequence, continued=first.sequence
            )

    def _note_trouble(self, error: Exception) -> None:
        if not self._is_troubled:
            log.warning("audit.collector_unavailable", error=error, shipped=self._cursor.sequence)
        self._is_troubled = True

    def _note_success(self) -> None:
        if self._is_troubled:
            log.info("audit.collector_recovered", shipped=self._cursor.sequence)
        self._is_troubled = False

    def _age(self) -> float:
        since = self._waiting_since
        return (datetime.now(UTC) - since).total_seconds() if since else 0.0


def build_shipper(settings: Settings) -> AuditShipper | None:
    """Build the shipper that the settings ask for; None if they name no collector."""
    if settings.audit_collector is None:
        return None

    url = urlsplit(settings.audit_collector)
    collector: Collector = (
        SyslogCollector(
            url.hostname or "",
            url.port or SYSLOG_TLS_PORT,
            is_tls=url.scheme == "syslog+tls",
            ca=settings.audit_collector_ca,
        )
        if url.scheme.startswith("syslog")
        else HttpCollector(
            settings.audit_collector, _read_token(settings), settings.audit_collector_ca
        )
    )
    return AuditShipper(settings.audit_file, collector)


def _read_token(settings: Settings) -> Callable[[], str]:
    def read() -> str:
        token = settings.audit_collector_token
        return token.get_secret_value() if token else ""

    return read


def _try_lock(path: Path) -> int | None:
    """Take the lock of shipping; None if another process has it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.ship.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
