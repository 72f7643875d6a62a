"""`clawback rehearse` for real.

A Temporal server, a simulator and a worker, faults and kills, in one command.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.test_program import clawback, sentence
from tests.waiting import wait_until

RULES = str(Path(__file__).parents[2] / "rules")


def command_lines() -> Iterator[bytes]:
    """The command lines of all processes."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "cmdline").read_bytes()


def test_an_outbreak_with_faults_and_kills(tmp_path: Path) -> None:
    """Each message of a campaign is moved once and its sender blocked once, though answers are lost and the worker is killed."""
    ledger = tmp_path / "ledger.jsonl"
    faults = "429=0.05,500=0.05,reset=0.03,lost_answer=0.1"
    done = clawback(
        *(
            "rehearse",
            "--rules",
            RULES,
            "--outbreak",
            "1500",
            "--kill-worker",
            "2",
            "--faults",
            faults,
            "--seed",
            "3",
        ),
        *("--ledger", str(ledger), "--timeout", "3m", "--json"),
    )
    said = json.loads(done.stdout)
    assert (done.returncode, said["lost"], said["twice"], said["unexpected"]) == (
        ExitCode.OK,
        [],
        [],
        [],
    ), done.stderr
    assert (said["moved"], said["kills"], said["effects"]["create"]) == (1500, 2, 1)
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert len({row["id"] for row in rows if row["operation"] == "move"}) == 1500
    assert said["temporal_actions"] > 0
    assert said["requests_by_endpoint"]["POST /investigate/move"] < 60


def test_the_demo_for_people() -> None:
    """Without any corpus the invented mail is rehearsed, and the summary is for reading."""
    done = clawback("rehearse", "--rules", RULES, "--timeout", "2m")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "nothing was lost, nothing was done twice, nothing else was touched" in done.stdout


def test_a_rehearsal_that_cannot_end_in_time_is_no_success(tmp_path: Path) -> None:
    """When the time is up before all is done, that is exit code 1, and what was kept can be looked at."""
    done = clawback(
        "rehearse", "--rules", RULES, "--timeout", "1s", "--keep", str(tmp_path / "kept")
    )
    assert done.returncode == ExitCode.NO
    assert "NOT DONE" in done.stdout
    assert (tmp_path / "kept" / "logs" / "worker.log").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_rehearsal_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends it with its own exit code, and with everything it started."""
    kept = tmp_path / "kept"
    command = [
        sys.executable,
        "-c",
        "from clawback.cli import main; main()",
        "rehearse",
        "--rules",
        RULES,
        "--keep",
        str(kept),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until((kept / "logs" / "worker.log").exists, timedelta(seconds=60))
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "clawback: interrupted" in said
    assert not any(str(kept).encode() in command_line for command_line in command_lines())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--faults", "42=0.1"), ExitCode.USAGE, "'42' is not a fault"),
        (("--rate-limit", "fast"), ExitCode.USAGE, "'fast' is not a rate"),
        (("--timeout", "soon"), ExitCode.USAGE, "'soon' is not a duration"),
        (("--corpus", "/nowhere.jsonl"), ExitCode.NO, "/nowhere.jsonl: No such file or directory"),
        (("--rules", "/nowhere"), ExitCode.NO, "/nowhere"),
    ],
)
def test_what_cannot_be_rehearsed_is_one_sentence(
    arguments: tuple[str, str], code: ExitCode, says: str
) -> None:
    """A wrong option or a file that is not there is told before anything is started."""
    rules = () if "--rules" in arguments else ("--rules", RULES)
    done = clawback("rehearse", *rules, *arguments)
    assert done.returncode == code
    assert says in sentence(done)
