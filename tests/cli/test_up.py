"""`clawback up` as its user meets it.

One command, real processes, real ports, nothing left behind.
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TextIO

import psutil
import pytest

from clawback.audit import (
    Verified,
    default_key_file,
    read_public_keys,
    read_records,
    verify,
)
from clawback.cli.exits import ExitCode
from clawback.local import ProcessGroup, TemporalServer, fetch, free_port, temporal_child
from clawback.model.audit_record import RecordKind
from clawback.settings import Settings
from clawback.simulator import Simulator, SimulatorOptions, TokenScope, outbreak
from clawback.temporal.key_ring import read_key_file
from tests.cli.command import clawback
from tests.waiting import wait_until

RULES = Path(__file__).parents[2] / "rules"
SEEN = re.compile(r" seen (\d+) · matched (\d+) acted (\d+)")


def settings(tmp_path: Path, **changes: str) -> dict[str, str]:
    """An environment with ports and a state folder of the test's own."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_"))
    }
    own = {
        "CLAWBACK_STATE": str(tmp_path / "state"),
        "CLAWBACK_RULES": str(RULES),
        "CLAWBACK_TEMPORAL_PORT": str(free_port()),
        "CLAWBACK_UI_PORT": str(free_port()),
        "CLAWBACK_CODEC": f"127.0.0.1:{free_port()}",
        "CLAWBACK_SIMULATOR_PORT": str(free_port()),
        "CLAWBACK_CONSOLE": f"127.0.0.1:{free_port()}",
        "CLAWBACK_METRICS": f"127.0.0.1:{free_port()}",
        "CLAWBACK_INTERVAL": "1s",
    }
    return {**clean, **own, **changes}


COMMAND = [sys.executable, "-c", "from clawback.cli import main; main()", "up", "--plain"]


def refused(environment: dict[str, str]) -> tuple[int, str]:
    """Run `clawback up` that must end by itself; gives its exit code and what it said on stderr."""
    done = subprocess.run(
        COMMAND, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


class Up:
    """A running `clawback up`, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str], log: TextIO) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        """All of its output so far."""
        self._log.seek(0)
        return self._log.read()

    def counts(self) -> tuple[int, int, int]:
        """Seen, matched and acted as last shown."""
        found = SEEN.findall(self.said)
        seen, matched, acted = map(int, found[-1]) if found else (0, 0, 0)
        return seen, matched, acted

    def until(self, holds: Callable[[], bool], seconds: float = 120.0) -> None:
        """Wait until something holds, or fail with what was said."""

        def holds_while_running() -> bool:
            assert self.process.poll() is None, self.said
            return holds()

        wait_until(holds_while_running, timedelta(seconds=seconds), lambda: self.said)

    def descendants(self) -> list[int]:
        """The pids of its processes."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]


@contextmanager
def running(
    environment: dict[str, str], tmp_path: Path, command: Sequence[str] = COMMAND
) -> Iterator[Up]:
    """`clawback up` for the length of a test."""
    path = tmp_path / f"up-{time.monotonic_ns()}.log"
    with path.open("w") as out, path.open() as log:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, text=True, umask=0
        )
        try:
            yield Up(process, log)
        finally:
            process.kill()
            process.wait()


def gone(pids: list[int]) -> bool:
    """Whether none of these processes runs any more."""
    return not any(map(is_running, pids))


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waited for."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_it_acts_restarts_its_worker_stops_and_goes_on(tmp_path: Path) -> None:
    """The demo is acted on.

    A killed worker comes back; Ctrl-C leaves nothing within ten seconds; a second start goes on
    from the first. Whatever it writes is its user's alone, though its mask and folders were wide.
    """
    environment = settings(tmp_path, CLAWBACK_AUDIT=str(tmp_path / "audit" / "audit.jsonl"))
    (logs := tmp_path / "state" / "simulator" / "logs").mkdir(parents=True)
    (logs / "worker.log").touch(0o666)
    with running(environment, tmp_path) as up:
        up.until(lambda: up.counts()[2] > 0)
        assert "other users had access" in up.said
        assert _modes(tmp_path / "state", tmp_path / "audit") == {0o700, 0o600}
        worker = next(
            pid
            for pid in up.descendants()
            if b"\0clawback.run_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.kill(worker, signal.SIGKILL)
        up.until(lambda: worker not in up.descendants() and len(up.descendants()) == 4)
        page = f"http://{environment['CLAWBACK_METRICS']}/metrics"
        up.until(lambda: b"clawback_build_info" in _fetched(page))
        _check_encryption(environment, tmp_path / "state" / "simulator", up.said)
        seen, pids = up.counts()[0], up.descendants()
        began = time.monotonic()
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(15) == ExitCode.OK
        assert time.monotonic() - began < 10
        assert gone(pids)
        assert "Stopped." in up.said
    with running(environment, tmp_path) as up:
        up.until(lambda: up.counts()[0] > seen, 150.0)
    audit = tmp_path / "audit" / "audit.jsonl"
    assert isinstance(verify(audit, read_public_keys(default_key_file(audit))), Verified)
    assert RecordKind.ACTED in {record.kind for record in read_records(audit)}


def _check_encryption(environment: dict[str, str], folder: Path, said: str) -> None:
    """It made a key that every command finds, and without which the database shows nothing."""
    key = read_key_file(folder / "keys").current
    assert f"made encryption key {key.id}" in said
    assert f"{key.id} (current)" in clawback("keys", "list", **environment).stdout
    listed = clawback("case", "list", "--json", **environment)
    assert listed.returncode == ExitCode.OK, listed.stderr
    assert json.loads(listed.stdout)
    written = b"".join(path.read_bytes() for path in folder.glob("temporal.db*"))
    assert key.id.encode() in written
    # A field of every case, which stood there in clear before.
    assert b'"outcomes"' not in written


def _check_secrets(secrets: Sequence[str], pids: Sequence[int], logs: Path) -> None:
    """None is in `ps` or a log, nor in the environment of a process that does not need it."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
    blind = [pid for pid, command in commands.items() if _needs_no_secret(command)]
    assert len(blind) == 2
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in blind]
    assert all(b"PATH=" in environment for environment in environments)
    written = [path.read_bytes() for path in logs.iterdir()]
    assert len(written) == 4
    for secret in secrets:
        found = [one for one in (*commands.values(), *environments, *written) if _has(one, secret)]
        assert not found


def _needs_no_secret(command: bytes) -> bool:
    """Whether this is the Temporal server or the simulator."""
    return b"start-dev" in command or b"clawback.simulator" in command


def _has(data: bytes, secret: str) -> bool:
    return secret.encode() in data


def _modes(*folders: Path) -> set[int]:
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return {path.stat().st_mode & 0o777 for path in paths}


def _fetched(url: str) -> bytes:
    try:
        return fetch(url)
    except OSError:
        return b""


async def test_with_credentials_and_a_server_of_ones_own_only_the_worker_runs(
    tmp_path: Path,
) -> None:
    """With TEMPORAL_ADDRESS and credentials only the worker starts, and acts on that account."""
    simulator = Simulator(SimulatorOptions(tokens={"g00d-t0ken": TokenScope.WRITE}))
    simulator.add(outbreak(20))
    server = TemporalServer(tmp_path / "temporal.db", free_port())
    around = ProcessGroup((temporal_child(server, Settings.model_construct(), tmp_path),))
    async with around.running(), simulator.serve() as url:
        credentials = {"CLOUDFLARE_API_TOKEN": "g00d-t0ken", "CLOUDFLARE_ACCOUNT_ID": "0" * 32}
        environment = settings(
            tmp_path, CLAWBACK_API_URL=url, TEMPORAL_ADDRESS=server.address, **credentials
        )
        with running(environment, tmp_path) as up:
            await asyncio.to_thread(up.until, lambda: up.counts()[2] >= 20)
            assert len(up.descendants()) == 2
    assert sum(row["operation"] == "move" for row in simulator.account.ledger.rows) == 20
    assert (tmp_path / "state" / "audit.jsonl").exists()
    assert not (tmp_path / "state" / "temporal.db").exists()


def test_killing_it_leaves_no_process(tmp_path: Path) -> None:
    """After a SIGKILL, when it can clean nothing up, its processes are gone all the same.

    Meanwhile nobody else may use its folder, and its secrets are where nobody looks. Without its
    keys it does not start again. Where stdout is no terminal it prints JSON, and no link that signs
    in: whoever reads logs would get it.
    """
    (channels := tmp_path / "channels.toml").touch(0o600)
    channels.write_text('[soc]\nkind = "slack"\nurl = {env = "URL_OF_CHAT"}\n')
    secrets = {
        "CLAWBACK_AUDIT_COLLECTOR_TOKEN": "t0ken-of-the-collector",
        "CLAWBACK_IDENTITY_CLIENT_SECRET": "s3cret-of-the-client",
        "URL_OF_CHAT": "http://127.0.0.1:1/s3cret-of-the-chat",
    }
    environment = settings(tmp_path, CLAWBACK_CHANNELS=str(channels), **secrets)
    with running(environment, tmp_path, COMMAND[:-1]) as up:
        up.until(lambda: '"up.status"' in up.said)
        events = [json.loads(line) for line in up.said.splitlines() if line.startswith("{")]
        [started] = [event for event in events if event["event"] == "up.started"]
        assert started["logs"] == str(tmp_path / "state" / "simulator" / "logs")
        assert "link=" not in up.said
        code, said = refused(environment)
        assert code == ExitCode.ENVIRONMENT, said
        assert f"another clawback (pid {up.process.pid}) uses the state folder" in said
        pids = up.descendants()
        assert len(pids) == 4
        key = read_key_file(tmp_path / "state" / "simulator" / "keys").current.line
        _check_secrets([key, *secrets.values()], [up.process.pid, *pids], Path(started["logs"]))
        assert key not in up.said
        up.process.kill()
        up.process.wait()
        wait_until(lambda: gone(pids), timedelta(seconds=5))

    (tmp_path / "state" / "simulator" / "keys").unlink()
    code, said = refused(environment)
    assert (code, said.count("\n")) == (ExitCode.USAGE, 1)
    assert "is encrypted with key " in said
    assert "and no key is set" in said


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Each port in use is named with its purpose and setting, before anything starts."""
    for setting in ("CLAWBACK_TEMPORAL_PORT", "CLAWBACK_UI_PORT", "CLAWBACK_SIMULATOR_PORT"):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            code, said = refused(settings(tmp_path, **{setting: port}))
        assert code == ExitCode.ENVIRONMENT, said
        assert said.count("\n") == 1
        assert f"port {port} on 127.0.0.1" in said
        assert f"set {setting}" in said


def test_a_bad_rule_is_told_before_anything_runs_for_long(tmp_path: Path) -> None:
    """A rule error ends `up` with the message of the worker, and nothing keeps running."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "bad.yml").write_text("title: Broken\nnam: broken\n")
    code, said = refused(settings(tmp_path, CLAWBACK_RULES=str(rules)))
    assert code == ExitCode.NO, said
    assert "the worker did not start" in said
    assert "bad.yml" in said


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("wr0ng-t0ken", "does not know the token in CLOUDFLARE_API_TOKEN"),
        ("bl1nd-t0ken", "give it the permission Cloud Email Security"),
    ],
)
async def test_a_token_that_is_no_good_is_one_sentence(
    tmp_path: Path, token: str, says: str
) -> None:
    """A wrong token and a missing permission are told apart before anything starts."""
    simulator = Simulator(
        SimulatorOptions(tokens={"bl1nd-t0ken": TokenScope.NONE, "good": TokenScope.WRITE})
    )
    async with simulator.serve() as url:
        environment = settings(
            tmp_path,
            CLAWBACK_API_URL=url,
            CLOUDFLARE_API_TOKEN=token,
            CLOUDFLARE_ACCOUNT_ID="0" * 32,
        )
        code, said = await asyncio.to_thread(refused, environment)
    assert code == ExitCode.REFUSED
    assert said.count("\n") == 1
    assert says in said
    assert token not in said


def test_half_of_the_credentials_is_one_sentence(tmp_path: Path) -> None:
    """A token without an account, or an account without a token, is refused."""
    for half in ({"CLOUDFLARE_API_TOKEN": "t0ken-t0ken"}, {"CLOUDFLARE_ACCOUNT_ID": "0" * 32}):
        code, said = refused(settings(tmp_path, **half))
        assert (code, said.count("\n")) == (ExitCode.REFUSED, 1)
        assert "belong together" in said


def test_a_temporal_server_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    """With TEMPORAL_ADDRESS no server of ours is started, and one that does not answer is named."""
    api = {"CLAWBACK_API_URL": "http://127.0.0.1:1/client/v4"}
    code, said = refused(settings(tmp_path, TEMPORAL_ADDRESS="127.0.0.1:1", **api))
    assert code == ExitCode.ENVIRONMENT
    assert "no Temporal server answers at 127.0.0.1:1" in said


def test_a_demo_never_uses_a_named_server(tmp_path: Path) -> None:
    """Without credentials there is a simulator, whose mail must not reach somebody's server."""
    code, said = refused(settings(tmp_path, TEMPORAL_ADDRESS="127.0.0.1:1"))
    assert (code, said.count("\n")) == (ExitCode.USAGE, 1)
    assert "never uses a server of yours (127.0.0.1:1)" in said


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A state folder that cannot be made is named with the setting."""
    (tmp_path / "file").write_text("")
    code, said = refused(settings(tmp_path, CLAWBACK_STATE=str(tmp_path / "file" / "state")))
    assert (code, said.count("\n")) == (ExitCode.ENVIRONMENT, 1)
    assert ": not a directory" in said
