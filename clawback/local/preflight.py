"""What is looked at before anything starts.

Ports, disk, and that nobody else uses the state folder. Each refusal is one sentence.
"""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from clawback.local.errors import DiskUnusable, PortTaken, StateLocked

ROOM = 200 * 1024 * 1024
"""Bytes that must be free: the Temporal database, the audit and the logs grow."""


class PortWish(NamedTuple):
    """A port that will be listened on, by what, and the setting that moves it."""

    host: str
    port: int
    purpose: str
    setting: str


def check_ports(wishes: Sequence[PortWish]) -> None:
    """Look whether every port is free.

    Raises:
        PortTaken: one is not, or may not be used by us.

    """
    for wish in wishes:
        try:
            socket.create_server((wish.host, wish.port)).close()
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise PortTaken(
                f"port {wish.port} on {wish.host} for {wish.purpose} cannot be used: {reason}; free it or set {wish.setting}"
            ) from None


def free_port() -> int:
    """Find a port on the loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def check_disk(state: Path, room: int = ROOM) -> None:
    """Look whether the state folder can be made and written, and has room.

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
            f"the state folder {state} cannot be written: {reason}; mend that or set CLAWBACK_STATE to another"
        ) from None
    finally:
        with suppress(OSError):
            probe.unlink()
    if free < room:
        lack = (
            f"only {free >> 20} MiB are free for the state folder {state}, {room >> 20} are needed"
        )
        raise DiskUnusable(f"{lack}; make room or set CLAWBACK_STATE to another")


@contextmanager
def lock_state(state: Path) -> Iterator[None]:
    """Keep the state folder to ourselves; the lock goes with the process, however it ends.

    Raises:
        StateLocked: another process has it.

    """
    file = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            raise StateLocked(
                f"another clawback (pid {holder}) uses the state folder {state}; stop it, or set CLAWBACK_STATE to another"
            ) from None
        os.truncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(file)
