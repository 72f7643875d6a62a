"""Provokes causes of alerts in a running clawback: each must fire in Prometheus, and resolve."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.prometheus import Prometheus, run_prometheus
from bench.report import wide_console
from bench.stage import RULES, Responder, clawback
from clawback.local import environment_with, fetch

FASTER = 30
"""Durations of the shipped rules are divided by it: 15 minutes become 30 seconds."""
PATIENCE = 90.0
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Change = Callable[[], Awaitable[object]]


def hasten(rules: dict[str, Any]) -> dict[str, Any]:
    """Divide every window and every `for` of the shipped rules."""

    def shorten(found: re.Match[str]) -> str:
        return f"{max(int(found[1]) * _SECONDS[found[2]] // FASTER, 5)}s"

    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["expr"] = _DURATION.sub(shorten, rule["expr"])
            if "for" in rule:
                rule["for"] = _DURATION.sub(shorten, f"[{rule['for']}]").strip("[]")
    return rules


def causes(responder: Responder, rules: Path) -> dict[str, tuple[Change, Change]]:
    """Return what provokes each alert, and what ends it."""
    bad, pid = rules / "bad.yml", responder.worker.pid or 0
    port = responder.witness.port

    async def run(*arguments: str) -> None:
        changes = {**responder.server.environment, "CLAWBACK_API_URL": responder.witness.api}
        environment = environment_with(changes, without=("CLAWBACK_", "TEMPORAL_"))
        program = (sys.executable, "-m", "clawback", *arguments)
        child = await asyncio.create_subprocess_exec(
            *program, env=environment, stdout=DEVNULL, stderr=DEVNULL
        )
        await child.wait()

    async def faults(text: str) -> None:
        url = f"http://127.0.0.1:{port}/_sim/faults"
        await asyncio.to_thread(fetch, url, text.encode())

    async def signal_worker(number: int) -> None:
        os.kill(pid, number)

    async def write_bad() -> None:
        bad.write_text("title: 1\n")

    async def remove_bad() -> None:
        bad.unlink()

    return {
        "ClawbackRulesRefused": (write_bad, remove_bad),
        "ClawbackStopped": (lambda: run("stop", "--reason", "bench"), lambda: run("resume")),
        "ClawbackRateLimited": (lambda: faults("429=1"), lambda: faults("")),
        "ClawbackWorkerAbsent": (
            lambda: signal_worker(signal.SIGSTOP),
            lambda: signal_worker(signal.SIGCONT),
        ),
    }


async def alerts(
    *,
    only: Annotated[str, typer.Option(help="Provoke this alert alone.")] = "",
) -> None:
    """Provoke alerts in a live Prometheus with Alertmanager; report when each fires and ends."""
    console = wide_console()
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        rules = Path(shutil.copytree(RULES, Path(folder) / "rules"))
        async with clawback("1200/300", timedelta(seconds=2), "on", rules) as responder:
            with run_prometheus(
                {responder.metrics: "bench"}, hasten, with_alertmanager=True
            ) as prometheus:
                for name, (provoke, end) in causes(responder, rules).items():
                    if only in {"", name}:
                        console.print(await _follow(prometheus, name, provoke, end))


async def _follow(prometheus: Prometheus, name: str, provoke: Change, end: Change) -> str:
    await provoke()
    fired = await _wait(lambda: name in prometheus.firing() & prometheus.delivered())
    await end()
    ended = await _wait(lambda: name not in prometheus.firing())
    return f"{name:28} fires after {fired:5.1f} s, resolves after {ended:5.1f} s"


async def _wait(holds: Callable[[], bool]) -> float:
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.5)
    return time.monotonic() - began
