"""Metrics of the disk: free space, and the size of what the state folder holds. Read when asked."""

import math
import os
from collections.abc import Callable
from pathlib import Path

from clawback.settings import Settings
from clawback.telemetry import metrics


def publish_storage(settings: Settings) -> None:
    """Let the metrics read the sizes at each scrape; what does not exist has no series."""
    folder = settings.folder
    metrics.DISK_FREE_BYTES.set_function(_of_disk(folder, lambda disk: disk.f_bavail))
    metrics.DISK_BYTES.set_function(_of_disk(folder, lambda disk: disk.f_blocks))

    audit = settings.audit_file
    metrics.STATE_BYTES.labels("audit").set_function(_size_of(audit.parent, f"{audit.stem}.*"))
    if (folder / "temporal.db").exists():
        metrics.STATE_BYTES.labels("database").set_function(_size_of(folder, "temporal.db*"))


def _of_disk(folder: Path, blocks: Callable[[os.statvfs_result], int]) -> Callable[[], float]:
    def read() -> float:
        try:
            disk = os.statvfs(folder)
        except OSError:
            return math.nan
        return float(blocks(disk) * disk.f_frsize)

    return read


def _size_of(folder: Path, pattern: str) -> Callable[[], float]:
    """Return what adds up files: with the database its write-ahead log, with the audit old ones."""

    def read() -> float:
        try:
            return float(sum(file.stat().st_size for file in folder.glob(pattern)))
        except OSError:
            return math.nan

    return read
