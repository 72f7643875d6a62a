"""Checks before anything starts: ports, disk, and that nobody else uses the state folder."""

import fcntl
import os
import random
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from clawback.listening import open_listener
from clawback.local.errors import DiskUnusable, PortInUse, StateFolderLocked

MIN_FREE_BYTES = 200 * 1024 * 1024
"""Free space that the Temporal database, the audit log and the process logs need to grow."""
_RANGE = range(11_000, 32_000)
"""Linux takes the ports of outgoing connections from 32768 on, others from higher ones."""
_TRIES = 100


class RequiredPort(NamedTuple):
    """A port that will be bound, its purpose, and the setting that changes it."""

    host: str
    port: int
    purpose: str
    setting: str


def check_ports(ports: Sequence[RequiredPort]) -> None:
    """Check that every port can be bound.

    Raises:
        PortInUse: one cannot.

    """
    for required in ports:
        try:
            open_listener(required.host, required.port).close()
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise PortInUse(
                f"cannot use port {required.port} on {required.host} for {required.purpose}: "
                f"{reason}; free it or set {required.setting}"
            ) from None


def free_port() -> int:
    """Find a free port on the loopback interface.

    It is below the range from which systems take the ports of outgoing connections: none of those
    can take it before it is bound.

    Raises:
        PortInUse: there is none.

    """
    for _ in range(_TRIES):
        port = random.SystemRandom().choice(_RANGE)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise PortInUse(f"no port from {_RANGE.start} to {_RANGE.stop - 1} is free")


def check_disk(state: Path, min_free: int = MIN_FREE_BYTES) -> None:
    """Check that the state folder can be created and written, and has `min_free` bytes left.

    Raises:
        DiskUnusable: it cannot, or has not.

    """
    probe = state / ".probe"
    try:
        state.mkdir(parents=True, exist_ok=True)
        with probe.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(state).free
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiskUnusable(
            f"cannot write the state folder {state}: {reason}; "
            "fix that or set CLAWBACK_STATE to another folder"
        ) from None
    finally:
        with suppress(OSError):
            probe.unlink()

    if free < min_free:
        raise DiskUnusable(
            f"only {free >> 20} MiB are free for the state folder {state}, "
            f"{min_free >> 20} are needed; "
            "free some space or set CLAWBACK_STATE to another folder"
        )


@contextmanager
def lock_state(state: Path) -> Iterator[None]:
    """Lock the state folder; the kernel releases the lock however the process ends.

    Raises:
        StateFolderLocked: another process holds the lock.

    """
    file = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            raise StateFolderLocked(
                f"another clawback (pid {holder}) uses the state folder {state}; "
                "stop it, or set CLAWBACK_STATE to another folder"
            ) from None

        os.truncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(file)
