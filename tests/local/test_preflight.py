"""What is looked at before anything starts, on the real machine."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from clawback.local import (
    DiskUnusable,
    PortTaken,
    PortWish,
    StateLocked,
    check_disk,
    check_ports,
    free_port,
    lock_state,
)


def test_a_taken_port_names_itself_and_the_setting() -> None:
    """A port that somebody listens on is refused in one sentence; a free one is not."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            check_ports(
                [PortWish("127.0.0.1", port, "the Temporal server", "CLAWBACK_TEMPORAL_PORT")]
            )
    said = f"port {port} on 127.0.0.1 for the Temporal server cannot be used: address already in use; free it or set CLAWBACK_TEMPORAL_PORT"
    assert str(refused.value) == said
    check_ports(
        [PortWish("127.0.0.1", free_port(), "the Temporal server", "CLAWBACK_TEMPORAL_PORT")]
    )


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where no folder can be, the refusal names it and the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DiskUnusable, match=r"file/state cannot be written: not a directory; .* set CLAWBACK_STATE"
    ):
        check_disk(tmp_path / "file" / "state")


def test_a_disk_without_room(tmp_path: Path) -> None:
    """A disk with less room than is needed is refused with both figures.

    The probe leaves nothing behind.
    """
    with pytest.raises(DiskUnusable, match=r"only \d+ MiB are free .*, \d+ are needed; make room"):
        check_disk(tmp_path, room=shutil.disk_usage(tmp_path).free * 2)
    check_disk(tmp_path, room=0)
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    """A second process is refused with the pid of the first, and let in once that is gone."""
    program = (
        "import sys, pathlib; from clawback.local import lock_state\n"
        "with lock_state(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin, holder.stdout:
        holder.stdout.readline()
        with (
            pytest.raises(
                StateLocked, match=rf"another clawback \(pid {holder.pid}\) uses the state folder"
            ),
            lock_state(tmp_path),
        ):
            pass
        holder.kill()
        holder.wait()
    with lock_state(tmp_path):
        assert (tmp_path / "lock").exists()
