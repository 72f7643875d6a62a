"""Provokes causes of alerts in a running clawback: each must fire in Prometheus, and resolve."""

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.alert_causes import Cause, Causes
from bench.prometheus import Prometheus, run_prometheus
from bench.report import wide_console
from bench.stage import RULES, clawback

FASTER = 30
"""Durations of the shipped rules are divided by it: 15 minutes become 30 seconds."""
PATIENCE = 240.0
LONGEST = 20
"""Seconds after which every hastened `for` is over."""
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def hasten(rules: dict[str, Any]) -> dict[str, Any]:
    """Divide every window and every `for` of the shipped rules."""

    def shorten(found: re.Match[str]) -> str:
        return f"{max(int(found[1]) * _SECONDS[found[2]] // FASTER, 5)}s"

    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["expr"] = _DURATION.sub(shorten, rule["expr"])
            if "for" in rule:
                seconds = int(_DURATION.sub(shorten, f"[{rule['for']}]").strip("[]s"))
                rule["for"] = f"{min(seconds, LONGEST)}s"
    return rules


def allow_undo(safety: Path) -> None:
    """Let one person undo what is malicious: nobody else is here to agree."""
    text = safety.read_text(encoding="utf-8")
    safety.write_text(re.sub(r"^undo:.*$", "undo: 'off'", text, flags=re.MULTILINE), "utf-8")


async def alerts(
    *,
    only: Annotated[str, typer.Option(help="Provoke these alerts alone, by comma.")] = "",
) -> None:
    """Provoke alerts in a live Prometheus with Alertmanager; report when each fires and ends."""
    console = wide_console()
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        rules = Path(shutil.copytree(RULES, Path(folder) / "rules"))
        allow_undo(rules / "safety.yml")
        async with clawback("1200/300", timedelta(seconds=2), "on", rules) as responder:
            with run_prometheus(
                {responder.metrics: "bench"}, hasten, with_alertmanager=True
            ) as prometheus:
                # Else what happens before the first scrape looks as if it had always been so.
                await _wait(lambda: bool(prometheus.query("up == 1")))
                causes = Causes(responder, rules)
                for cause in causes:
                    if not only or cause.alert in only.split(","):
                        console.print(await _follow(prometheus, cause))
                number, failed = await causes.follow_runbooks()
                console.print(
                    f"{number} commands of runbooks run; {', '.join(failed) or 'none'} failed"
                )


async def _follow(prometheus: Prometheus, cause: Cause) -> str:
    """Provoke an alert and end its cause; say how that went."""
    name = cause.alert
    await cause.provoke()
    fired = await _wait(lambda: name in prometheus.firing() & prometheus.delivered())
    if cause.end is not None:
        await cause.end()
    ended = await _wait(lambda: name not in prometheus.firing())
    if fired is None or ended is None:
        return f"{name:32} {'does not fire' if fired is None else 'does not resolve'}"
    return f"{name:32} fires after {fired:5.1f} s, resolves after {ended:5.1f} s"


async def _wait(holds: Callable[[], bool]) -> float | None:
    """Wait until something holds; return the seconds, or None if it did not."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        if await asyncio.to_thread(holds):
            return time.monotonic() - began
        await asyncio.sleep(0.5)
    return None
