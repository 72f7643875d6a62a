"""`bench alerts`: all rooms at once, one Prometheus and one Alertmanager, and a line per alert."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import typer

from bench.alerts.cause import Cause, Room
from bench.alerts.deciding import Deciding
from bench.alerts.installation import install
from bench.alerts.keeping import Keeping
from bench.alerts.reading import Reading
from bench.alerts.refusing import Refusing
from bench.alerts.runbooks import read_commands
from bench.alerts.working import Working
from bench.prometheus import Prometheus, run_prometheus
from bench.report import wide_console

ROOMS: dict[str, type[Room]] = {
    room.name: room for room in (Reading, Deciding, Refusing, Keeping, Working)
}
FASTER = 30
"""Windows and `for` of the shipped rules are divided by it: 15 minutes become 30 seconds."""
LONGEST = 20
"""Seconds after which every hastened `for` is over."""
SHORTEST = 5
"""Seconds of the shortest hastened window, with a scrape in each."""
HELD_FASTER = 720
"""The threshold of ClawbackHeldCaseOld is divided by it, too: a day becomes two minutes."""
STEADY = 10.0
"""Seconds that an alert must be silent, with the worker scraped, until it counts as over."""
_LITERALS = {
    # The horizon of ClawbackDiskFillsUp is a time as well.
    "3 * 86400)": f"{3 * 86400 // FASTER})",
    "clawback_cases_held_age_seconds) > 86400": (
        f"clawback_cases_held_age_seconds) > {86400 // HELD_FASTER}"
    ),
}
_WINDOW = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def hasten(rules: dict[str, Any]) -> dict[str, Any]:
    """Divide every window and every `for` of the shipped rules; thresholds stay, but for one."""

    def shorten(found: re.Match[str]) -> str:
        return f"{max(int(found[1]) * _SECONDS[found[2]] // FASTER, SHORTEST)}s"

    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["expr"] = _WINDOW.sub(shorten, rule["expr"])
            for shipped, ours in _LITERALS.items():
                rule["expr"] = rule["expr"].replace(shipped, ours)
            if "for" in rule:
                seconds = int(_WINDOW.sub(shorten, f"[{rule['for']}]").strip("[]s"))
                rule["for"] = f"{min(seconds, LONGEST)}s"
    return rules


@dataclass
class Bench:
    """One run: what fires and resolves in each room, and which commands of runbooks ran."""

    prometheus: Prometheus
    only: frozenset[str]
    report: Callable[[str], None]
    names: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    commands: Counter[str] = field(default_factory=Counter)
    looked: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    async def follow(self, room: Room) -> None:
        """Go through the causes of a room; alerts resolve while the next cause begins."""
        await self._wait(lambda: bool(self.prometheus.query(f'up{{installation="{room.name}"}}')))
        async with asyncio.TaskGroup() as resolving:
            for cause in room.causes():
                if self.only and not self.only & set(cause.alerts):
                    continue
                try:
                    tasks = await self._provoke(room, cause, resolving)
                except Exception as error:  # noqa: BLE001 - the other causes go on
                    self.report(f"{', '.join(cause.alerts)}: {type(error).__name__} {error}")
                    continue
                if cause.settle or cause.after is not None:
                    await asyncio.gather(*tasks)
                if cause.after is not None:
                    await cause.after()

    async def _provoke(
        self, room: Room, cause: Cause, group: asyncio.TaskGroup
    ) -> list[asyncio.Task[None]]:
        """Provoke alerts, run their commands and end the cause; return what waits for the end."""

        def firing() -> set[str]:
            return self.prometheus.firing(room.name) & self.prometheus.delivered(room.name)

        before = await asyncio.to_thread(firing)
        if early := before & set(cause.alerts):
            self.report(f"{room.name}: {', '.join(sorted(early))} fires before its cause")
        began = time.monotonic()
        await cause.provoke()
        fired = {
            alert: await self._wait(partial(_is_in, alert, firing), cause.patience, began)
            for alert in cause.alerts
        }
        self._note_others(room, cause)
        await self._run_all(room, cause, "Diagnosis", most=1)
        resolving = [
            group.create_task(self._resolve(room, cause, alert, one))
            for alert, one in fired.items()
        ]
        if cause.end is not None:
            await cause.end()
        await self._run_all(room, cause, "Mitigation", most=0)
        return resolving

    async def _resolve(self, room: Room, cause: Cause, alert: str, fired: float | None) -> None:
        silent_since: list[float] = []

        def has_ended() -> bool:
            shown = self.prometheus.firing(room.name) | self.prometheus.delivered(room.name)
            # Without a scrape there is no series, and no alert that means anything.
            is_seen = bool(self.prometheus.query(f'up{{installation="{room.name}"}} == 1'))
            if alert in shown or not is_seen:
                silent_since.clear()
            else:
                silent_since.append(time.monotonic())
            return bool(silent_since) and time.monotonic() - silent_since[0] > STEADY

        began = time.monotonic()
        ended = await self._wait(has_ended, max(cause.patience, 900.0))
        ended = silent_since[0] - began if ended is not None else None
        if fired is None or ended is None:
            what = "does not fire" if fired is None else "does not resolve"
            self.report(f"{alert:34} {what}")
            return
        self.seen.add(alert)
        self.report(f"{alert:34} fires after {fired:5.1f} s, resolves after {ended:5.1f} s")

    def _note_others(self, room: Room, cause: Cause) -> None:
        """Say what else fires: it should be another consequence of the cause, or of an earlier."""
        others = self.prometheus.firing(room.name) - set(cause.alerts)
        if others:
            self.report(f"  beside {cause.alerts[0]}: {', '.join(sorted(others))}")

    async def _run_all(self, room: Room, cause: Cause, section: str, most: int) -> None:
        """Run the commands of a section of the runbooks; note exit codes that are too high.

        What only looks runs once in a room, and 1 is an answer of it: there is a problem, or
        nothing was found.
        """
        pages = [read_commands(alert, section, cause.words) for alert in cause.alerts]
        for command in dict.fromkeys(tuple(one) for page in pages for one in page):
            if most and (room.name, command) in self.looked:
                continue
            self.looked.add((room.name, command))
            code, output = await room.installation.run(*command)
            self.commands[section] += 1
            if code > most:
                what = " ".join(command)
                self.failed.append(f"{cause.alerts[0]}: {what} ({code}): {output[-300:]}")

    async def _wait(
        self, holds: Callable[[], bool], patience: float = 60.0, began: float | None = None
    ) -> float | None:
        """Wait until something holds; return the seconds since the beginning, or None."""
        began = time.monotonic() if began is None else began
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if await asyncio.to_thread(holds):
                return time.monotonic() - began
            await asyncio.sleep(0.5)
        return None


async def alerts(
    *,
    only: Annotated[str, typer.Option(help="Provoke these alerts alone, by comma.")] = "",
    rooms: Annotated[str, typer.Option(help="Open these rooms alone, by comma.")] = "",
) -> None:
    """Provoke alerts in a live Prometheus with Alertmanager; report when each fires and ends."""
    console = wide_console()
    names = rooms.split(",") if rooms else list(ROOMS)
    async with AsyncExitStack() as stack:
        opened = [await _open(stack, ROOMS[name]) for name in names]
        targets = {address: room.name for room in opened for address in room.installation.addresses}
        prometheus = stack.enter_context(run_prometheus(targets, hasten, with_alertmanager=True))
        bench = Bench(prometheus, frozenset(filter(None, only.split(","))), console.print)
        await asyncio.gather(*map(bench.follow, opened))
        console.print(_summarize(bench))


async def _open(stack: AsyncExitStack, kind: type[Room]) -> Room:
    installation = await stack.enter_async_context(
        install(kind.name, kind.settings, kind.dynamic, kind.prepare)
    )
    room = kind(installation)
    stack.push_async_callback(room.close)
    await room.open()
    return room


def _is_in(alert: str, names: Callable[[], set[str]]) -> bool:
    return alert in names()


def _summarize(bench: Bench) -> str:
    lines: Iterable[str] = (
        f"{len(bench.seen)} alerts fired and resolved",
        *(f"{number} commands of {section} run" for section, number in bench.commands.items()),
        f"{len(bench.failed)} of them failed",
        *bench.failed,
    )
    return "\n".join(lines)
