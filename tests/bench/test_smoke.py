"""The benches run and count right, with tiny numbers.

What they measure is asserted nowhere: a figure is no test.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.contenders import Round
from bench.latency import histogram, summary
from bench.outbreak import BARE, BULK, LOOP
from bench.report import CLAWBACK, ratios
from bench.usage import Usage, Watch

ROOT = Path(__file__).parents[2]
PATIENCE = 240
MESSAGES = 20


def bench(tmp_path: Path, *options: str) -> tuple[str, Mapping[str, Any]]:
    """Run a bench as people do; gives what it printed and its JSON document."""
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", *options, "--json", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(out.read_text())


def test_outbreak_runs_every_contender(tmp_path: Path) -> None:
    """Each contender deals with every message, and what it took is read off.

    The script sits out a block of the rate limit.
    """
    options = (
        "--messages",
        str(MESSAGES),
        "--rounds",
        "1",
        "--interval",
        "1",
        "--rate-limit",
        f"{MESSAGES - 1}/1",
    )
    printed, figures = bench(tmp_path, "outbreak", *options)
    rounds = {name: of[0] for name, of in figures["rounds"].items()}
    assert set(rounds) == {CLAWBACK, BULK, BARE, LOOP}
    assert all(name in printed for name in rounds)
    assert {rounds[name]["moved"] for name in (CLAWBACK, BULK, LOOP)} == {MESSAGES}
    assert all(
        one["seconds"] > 0 and one["own"]["cpu"] > 0 and one["own"]["peak"] > 1 << 20
        for one in rounds.values()
    )
    assert rounds[BULK]["requests"] == 2
    assert (rounds[LOOP]["requests"], rounds[LOOP]["refused"]) == (MESSAGES + 2, 1)
    assert rounds[BARE]["detail"]["actions"] == {
        "bare: activity": MESSAGES,
        "bare: start": MESSAGES,
    }
    assert rounds[CLAWBACK]["detail"]["changes"]["move"] == MESSAGES
    assert rounds[CLAWBACK]["actions"] == sum(rounds[CLAWBACK]["detail"]["actions"].values()) > 0


def test_latency_runs(tmp_path: Path) -> None:
    """Every message that arrives has a latency, and the figures are those of the latencies."""
    printed, figures = bench(
        tmp_path, "latency", "--messages", "3", "--interval", "1", "--spacing", "0.1"
    )
    assert len(figures["seconds"]) == 3
    assert all(seconds > 0 for seconds in figures["seconds"])
    assert figures["max"] == round(max(figures["seconds"]), 3)
    assert "median" in printed


def test_poisoned_runs(tmp_path: Path) -> None:
    """Good mail is touched, held or not, and all that was touched comes back."""
    _, figures = bench(
        tmp_path, "poisoned", "--messages", "12", "--campaigns", "3", "--interval", "1"
    )
    assert (figures["mailboxes_touched"], figures["cases_settled"], figures["cases_held"]) == (
        12,
        3,
        0,
    )
    assert (figures["returned_once"], figures["not_returned"], figures["answer"]["failed"]) == (
        12,
        0,
        0,
    )


def test_distribution_is_told_right() -> None:
    """Median, ninetieth percentile and extremes, and a bar for each half second."""
    seconds = [0.1, 0.2, 1.1, 1.2, 1.3, 1.4]
    assert summary(seconds) == {"median": 1.15, "p90": 1.35, "max": 1.4, "min": 0.1}
    assert summary([2.0]) == {"median": 2.0, "p90": 2.0, "max": 2.0, "min": 2.0}
    assert histogram(seconds) == "0 s |▄ █| 1.5 s"


def test_ratios_are_multiples_of_clawback() -> None:
    """A ratio is a median over clawback's median; what a contender does not have has none."""
    own = [
        Round(seconds=seconds, own=Usage(1.0, 1 << 20), requests=10) for seconds in (1.0, 2.0, 9.0)
    ]
    found = ratios({CLAWBACK: own, BULK: [Round(seconds=5.0, own=Usage(0.5, 2 << 20), requests=5)]})
    assert found[CLAWBACK]["seconds"] == 1.0
    assert (found[BULK]["seconds"], found[BULK]["cpu_seconds"], found[BULK]["peak_mib"]) == (
        2.5,
        0.5,
        2.0,
    )
    assert (found[BULK]["requests"], found[BULK]["actions"]) == (0.5, None)


async def test_usage_counts_the_whole_tree() -> None:
    """A grandchild counts towards its tree; what a process used before does not."""
    grandchild = (
        "sum(range(30_000_000)); held = bytearray(40 << 20); print('held', flush=True); input()"
    )
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", child, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    async with Watch({"child": process.pid}) as early:
        await process.stdout.readline()
    async with Watch({"child": process.pid}) as late:
        pass
    await process.communicate(b"\n")
    assert early.usage("child").cpu > 0.1
    assert late.usage("child").cpu < early.usage("child").cpu
    assert late.usage("child").peak > 40 << 20


def test_correlation_counts_every_message(tmp_path: Path) -> None:
    """A page is at most one signal per shard; alone, a message costs one action."""
    printed, figures = bench(
        tmp_path, "correlation", "--messages", "200", "--page", "200", "--trickle", "5"
    )
    burst, trickle = figures["rounds"]["burst"], figures["rounds"]["trickle"]
    assert (burst["messages"], trickle["messages"]) == (200, 5)
    assert 0 < burst["actions"] < 1
    assert trickle["actions"] <= 2
    assert "burst" in printed
