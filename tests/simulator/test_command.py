"""The command as a process: its greeting, its errors, its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from clawback.cloudflare import Domain
from clawback.doctor.domain_checks import domain_findings
from clawback.model.mode import Mode
from clawback.simulator.command import simulate
from tests.simulator.conftest import line

COMMAND = [sys.executable, "-m", "clawback.simulator"]

app = typer.Typer()
app.command()(simulate)


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the simulator until the block is left. Yields the process and its root URL."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            greeting = process.stdout.readline()
            assert "http://127.0.0.1:" in greeting, greeting
            yield process, greeting.partition(" at ")[2].partition("/client/v4")[0]
        finally:
            if process.poll() is None:
                process.kill()


def read(url: str) -> object:
    """Read JSON from a control endpoint."""
    answer: object = httpx.get(url).json()
    return answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_a_corpus_and_stops_cleanly(tmp_path: Path, number: int) -> None:
    """It loads the corpus, prints its URL, and exits with 0 on the signal, whatever it holds."""
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(line("a")), encoding="utf-8")
    options = ("--faults", "timeout=1:60", "--rate-limit", "off", "--domain", "own.test")
    with running("--corpus", str(path), *options) as (process, root):
        state = read(f"{root}/_sim/state")
        assert isinstance(state, dict)
        assert (state["messages"], state["faults"], state["rate_limit"]) == (
            1,
            "timeout=1:60",
            "off",
        )
        assert state["policies"] == {"domains": 1}
        process.send_signal(number)
        assert process.wait(30) == 0


def test_streams_the_demo() -> None:
    """With `--drip` and no corpus the demo keeps arriving, in an account with its domain."""
    with running("--drip", "100/1") as (_, root):
        deadline, counts, policies = time.monotonic() + 10, set[int](), None
        while len(counts) < 3:
            assert time.monotonic() < deadline
            state = read(f"{root}/_sim/state")
            assert isinstance(state, dict)
            counts.add(state["messages"])
            policies = state["policies"]

        assert policies == {"domains": 1}
        path = f"/client/v4/accounts/{'0' * 32}/email-security/settings/domains"
        found = httpx.get(root + path, headers={"Authorization": "Bearer any-token"}).json()
        (domain,) = map(Domain.parse, found["result"])
        assert domain.domain == "halden-instruments.example"
        (finding,) = domain_findings([domain], Mode.ENFORCE)
        assert finding.found == "1 domain, active and integrated: Microsoft 365"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--corpus", "missing.jsonl"], 3, "missing.jsonl: No such file"),
        (["--faults", "teapot=1"], 2, "unknown fault"),
        (["--rate-limit", "fast"], 2, "invalid rate"),
        (["--drip", "fast"], 2, "invalid rate"),
        (["--token", ":write"], 2, "invalid token"),
        (["--domain", "pot"], 2, "--domain 'pot' must be a valid domain name"),
    ],
)
def test_refusals_are_one_sentence(arguments: list[str], code: int, sentence: str) -> None:
    """Invalid input is one sentence and an exit code."""
    ended = CliRunner().invoke(app, ["--port", "0", *arguments])
    assert (ended.exit_code, len(ended.stderr.splitlines())) == (code, 1), ended.stderr
    assert sentence in ended.stderr


def test_taken_port_is_one_sentence() -> None:
    """The error names the port; the exit code is 3."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = CliRunner().invoke(app, ["--port", port])
    assert ended.exit_code == 3
    assert ended.stderr.splitlines() == [
        f"cannot listen on 127.0.0.1:{port}: Address already in use"
    ]
