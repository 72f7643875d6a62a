"""Checks before the start, on the real machine."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from clawback.local import (
    DiskUnusable,
    PortInUse,
    RequiredPort,
    StateFolderLocked,
    check_disk,
    check_ports,
    free_port,
    lock_state,
)


def test_a_port_in_use_names_the_setting() -> None:
    """In one sentence; a free port is accepted."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as refused:
            check_ports(
                [RequiredPort("127.0.0.1", port, "the Temporal server", "CLAWBACK_TEMPORAL_PORT")]
            )
    assert str(refused.value) == (
        f"cannot use port {port} on 127.0.0.1 for the Temporal server: address already in use; "
        "free it or set CLAWBACK_TEMPORAL_PORT"
    )
    check_ports(
        [RequiredPort("127.0.0.1", free_port(), "the Temporal server", "CLAWBACK_TEMPORAL_PORT")]
    )


def test_a_state_folder_that_cannot_be_created_names_the_setting(tmp_path: Path) -> None:
    """With the path and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskUnusable, match=r"file/state: not a directory; .* set CLAWBACK_STATE"):
        check_disk(tmp_path / "file" / "state")


def test_a_disk_with_too_little_space_is_refused(tmp_path: Path) -> None:
    """With both figures; the probe leaves nothing behind."""
    with pytest.raises(
        DiskUnusable, match=r"only \d+ MiB are free .*, \d+ are needed; free some space"
    ):
        check_disk(tmp_path, min_free=shutil.disk_usage(tmp_path).free * 2)
    check_disk(tmp_path, min_free=0)
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    """A second process is refused with the pid of the first, until that has exited."""
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
                StateFolderLocked,
                match=rf"another clawback \(pid {holder.pid}\) uses the state folder",
            ),
            lock_state(tmp_path),
        ):
            pass
        holder.kill()
        holder.wait()
    with lock_state(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_free_port_is_none_that_an_outgoing_connection_may_take() -> None:
    """The system takes ports for outgoing connections from a range of its own."""
    ranges = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not ranges.exists():
        pytest.skip("this system does not tell its range of ports")
    lowest = int(ranges.read_text("utf-8").split()[0])
    assert all(free_port() < lowest for _ in range(20))
