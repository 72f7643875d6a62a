"""`clawback rehearse` with a real Temporal server, simulator and worker."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback
from tests.waiting import wait_until

RULES = str(Path(__file__).parents[2] / "rules")


def command_lines() -> Iterator[bytes]:
    """The command lines of all processes on this machine."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "cmdline").read_bytes()


def write_own_campaigns(path: Path) -> Path:
    """Write three malicious campaigns that seem to come from the company of an outbreak."""
    at = datetime.now(UTC).isoformat()
    records = [
        {
            "id": f"own{number}",
            "postfix_id": f"p{number}",
            "edf_hash": str(number),
            "from": "boss@corp.example",
            "client_recipients": ["a@corp.example"],
            "final_disposition": "MALICIOUS",
            "validation": {"dmarc": "pass"},
            "scanned_at": at,
        }
        for number in range(3)
    ]
    path.write_text("".join(json.dumps({"message": record}) + "\n" for record in records))
    return path


def test_an_outbreak_with_faults_and_kills(tmp_path: Path) -> None:
    """Each message is moved once, despite lost answers and kills; one campaign blocks nobody.

    Neither do several, where their sender is in a domain of the account.
    """
    own = write_own_campaigns(tmp_path / "own.jsonl")
    ledger = tmp_path / "ledger.jsonl"
    faults = "429=0.05,500=0.05,reset=0.03,lost_answer=0.1"
    done = clawback(
        *(
            "rehearse",
            "--rules",
            RULES,
            "--outbreak",
            "1500",
            "--corpus",
            str(own),
            "--kill-worker",
            "2",
            "--faults",
            faults,
            "--seed",
            "3",
        ),
        *("--ledger", str(ledger), "--timeout", "3m", "--json"),
    )
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["lost"], summary["twice"], summary["unexpected"]) == (
        ExitCode.OK,
        [],
        [],
        [],
    ), done.stderr
    assert (summary["moved"], summary["kills"], summary["effects"].get("create", 0)) == (1500, 2, 0)
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert len({row["id"] for row in rows if row["operation"] == "move"}) == 1500
    assert summary["temporal_actions"] > 0
    assert summary["requests_by_endpoint"]["POST /investigate/move"] < 60


def test_the_demo_corpus_and_the_text_summary() -> None:
    """Both are the default."""
    done = clawback("rehearse", "--rules", RULES, "--timeout", "2m")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "no message lost, repeated or changed by mistake" in done.stdout


def test_a_rehearsal_that_times_out_fails(tmp_path: Path) -> None:
    """Its logs can be kept."""
    done = clawback(
        "rehearse", "--rules", RULES, "--timeout", "1s", "--keep", str(tmp_path / "kept")
    )
    assert done.returncode == ExitCode.NO
    assert "INCOMPLETE" in done.stdout
    assert (tmp_path / "kept" / "logs" / "worker.log").exists()


def test_it_ends_by_itself_where_cases_wait_for_people(tmp_path: Path) -> None:
    """Held cases count as done, whatever happens to two workers and the server meanwhile."""
    rules = shutil.copytree(RULES, tmp_path / "rules")
    safety = (rules / "safety.yml").read_text()
    (rules / "safety.yml").write_text(
        safety.replace("messages: 1000, per: 1h", "messages: 10, per: 1h")
    )
    done = clawback(
        *("rehearse", "--rules", str(rules), "--campaigns", "25", "--pace", "10", "--guard"),
        *("--workers", "2", "--kill-worker", "1", "--kill-server", "1", "--freeze-worker", "1"),
        *("--timeout", "4m", "--json"),
    )
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert (summary["events"], summary["moved"]) == (25, 10)
    assert (summary["cases"]["held"], summary["cases"]["settled"]) == (15, 10)
    assert (summary["kills"], summary["server_kills"], summary["freezes"]) == (1, 1, 1)


def test_it_says_what_it_waits_for() -> None:
    """A rehearsal without progress names the poller that cannot read."""
    done = clawback("rehearse", "--rules", RULES, "--faults", "500=1", "--timeout", "40s")
    assert done.returncode == ExitCode.NO
    waits = "waiting for the poller of message, which has read until"
    assert waits in done.stderr
    assert f"INCOMPLETE the timeout expired before everything was done; {waits}" in done.stdout


@contextmanager
def rehearsing(kept: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a rehearsal in a process of its own, which never outlives the test."""
    program = (sys.executable, "-c", "from clawback.cli import main; main()")
    with subprocess.Popen(
        [*program, "rehearse", "--rules", RULES, "--keep", str(kept), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_file(file: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a rehearsal has written a file; fail with what it says if it ends before."""
    wait_until(lambda: file.exists() or process.poll() is not None)
    assert file.exists(), process.communicate()[1]


def test_a_signal_ends_the_preparation_at_once(tmp_path: Path) -> None:
    """It need not wait until the mail is written and the expectation computed."""
    kept = tmp_path / "kept"
    with rehearsing(kept, "--outbreak", "300000") as process:
        wait_for_file(kept / "outbreak.jsonl", process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
        assert process.returncode == ExitCode.INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_rehearsal_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """A signal has its own exit code, and stops all processes."""
    kept = tmp_path / "kept"
    with rehearsing(kept) as process:
        wait_for_file(kept / "logs" / "worker.log", process)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == ExitCode.INTERRUPTED
        assert "clawback: interrupted" in said
        assert not any(str(kept).encode() in command_line for command_line in command_lines())


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("--faults", "42=0.1"), ExitCode.USAGE, "unknown fault '42'"),
        (("--rate-limit", "fast"), ExitCode.USAGE, "invalid rate 'fast'"),
        (("--timeout", "soon"), ExitCode.USAGE, "'soon' is not a duration"),
        (("--corpus", "/nowhere.jsonl"), ExitCode.NO, "/nowhere.jsonl: No such file or directory"),
        (("--rules", "/nowhere"), ExitCode.NO, "/nowhere"),
    ],
)
def test_invalid_input_is_one_sentence(
    arguments: tuple[str, str], code: ExitCode, expected: str
) -> None:
    """It is reported before a process starts."""
    rules = () if "--rules" in arguments else ("--rules", RULES)
    done = clawback("rehearse", *rules, *arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert expected in done.stderr.splitlines()[-1]
