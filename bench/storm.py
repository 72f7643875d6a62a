"""Thousands of distinct campaigns at once, with the guard at its defaults.

Measures how cases are acted on or held over time, whether anything ever stands still, and what a
case costs in comparison with a bare workflow that has one no-op activity.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from time import monotonic
from typing import Annotated, Any

import typer

from bench.actions import count_actions
from bench.contenders import Plan, moment, run_bare
from bench.report import environment_info, wide_console, write_json
from bench.stage import Responder, clawback, eventually
from bench.usage import Usage, Watch
from clawback.cases import CaseState
from clawback.simulator import campaigns as synthetic_campaigns
from clawback.simulator import outbreak
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_index import CaseFilter

_EVERY = 2.0
_FRESH_EVERY = 5.0
_MINUTE = 60
_MIB = 1 << 20
_POLL = "/investigate"


@dataclass(frozen=True)
class Sample:
    """What had happened `seconds` after the mail arrived: changes, and decided cases."""

    seconds: float
    changes: int
    settled: int
    held: int

    @property
    def progress(self) -> tuple[int, int, int]:
        """What must not stand still."""
        return self.changes, self.settled, self.held


class Storm:
    """One storm on a running clawback."""

    def __init__(self, responder: Responder, campaigns: int) -> None:
        self._responder = responder
        self._campaigns = campaigns
        self._began = monotonic()
        self.samples: list[Sample] = []

    async def run(self, seed: int) -> datetime:
        """Let the mail arrive, and wait until every case is settled or held."""
        mail = list(synthetic_campaigns(self._campaigns, seed))
        at = await self._responder.witness.inject(mail, stamp=True)
        self._began = monotonic()
        await eventually(self._is_over, patience=6 * 3600.0, every=_EVERY)
        return at

    async def _is_over(self) -> bool | None:
        cases = self._responder.cases
        sample = Sample(
            seconds=round(monotonic() - self._began, 1),
            changes=(await self._responder.witness.counts())["changes"],
            settled=await cases.count(CaseState.SETTLED),
            held=await cases.count(CaseState.HELD),
        )
        self.samples.append(sample)
        is_decided = sample.settled + sample.held >= self._campaigns
        if not is_decided or await cases.count(CaseState.RESPONDING):
            return None
        return True


class FreshMail:
    """Mail of new campaigns that arrives while the storm is worked through, one at a time."""

    def __init__(self, responder: Responder, count: int) -> None:
        self._responder = responder
        self._count = count
        self._arrived: dict[str, tuple[str, datetime]] = {}

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """Let mail arrive while the block runs, the first after five seconds."""
        task = asyncio.create_task(self._arrive())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def delays(self) -> list[dict[str, float]]:
        """Wait until each has a decided case; seconds from its arrival to that, and to its move.

        Without the latter for mail whose case is held, because a budget is spent.
        """
        moved = await self._read_moves()
        found = []
        for sender, (message, at) in self._arrived.items():
            case = await eventually(partial(self._find_decided, sender))
            delay = {"case": round((case.opened_at - at).total_seconds(), 1)}
            if case.state is not CaseState.HELD and message not in moved:
                moved = await self._read_moves()
            if message in moved:
                delay["moved"] = round((moved[message] - at).total_seconds(), 1)
            found.append(delay)
        return found

    async def _find_decided(self, sender: str) -> CaseLine | None:
        found = await self._responder.cases.find(CaseFilter(sender=sender))
        return next((one for one in found if one.state != CaseState.RESPONDING), None)

    async def _arrive(self) -> None:
        for number in range(self._count):
            await asyncio.sleep(_FRESH_EVERY)
            sender = f"accounts@fresh{number:05d}.test"
            (mail,) = outbreak(1, seed=10**6 + number, sender=sender)
            at = await self._responder.witness.inject([mail], stamp=True)
            self._arrived[sender] = mail["message"]["id"], at

    async def _read_moves(self) -> dict[str, datetime]:
        rows = await self._responder.witness.changes()
        return {row["id"]: moment(row) for row in rows if row["operation"] == "move"}


def longest_pause(samples: Sequence[Sample]) -> float:
    """The longest time in which nothing was acted on, settled or held."""
    longest, since, last = 0.0, 0.0, (0, 0, 0)
    for sample in samples:
        longest = max(longest, sample.seconds - since)
        if sample.progress != last:
            since, last = sample.seconds, sample.progress
    return round(longest, 1)


def per_minute(samples: Sequence[Sample]) -> list[dict[str, int]]:
    """Changes and holds in each minute."""
    ends: dict[int, Sample] = {int(sample.seconds // _MINUTE): sample for sample in samples}
    rows, last = [], Sample(0, 0, 0, 0)
    for minute, end in sorted(ends.items()):
        rows.append(
            {"minute": minute, "acts": end.changes - last.changes, "holds": end.held - last.held}
        )
        last = end
    return rows


def longest_gap(requests: Sequence[dict[str, Any]], since: datetime) -> float:
    """The longest time between two reads of the message list."""
    reads = [moment(one) for one in requests if one["template"].endswith(_POLL)]
    times = [since, *(at for at in sorted(reads) if at >= since)]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    return round(max(gaps, default=0.0), 1)


@dataclass(frozen=True)
class Weather:
    """How a storm meets clawback: the API's rate limit, the guard, and the pace of polling."""

    campaigns: int
    interval: timedelta
    seed: int
    rate: str = "1200/300"
    guard: str = "on"
    fresh: int = 24


async def measure(weather: Weather) -> dict[str, Any]:
    """Run one storm; return its figures."""
    campaigns = weather.campaigns
    async with clawback(weather.rate, weather.interval, guard=weather.guard) as responder:
        server = responder.server
        before, since = await server.count_actions(), datetime.now(UTC)
        storm, fresh = Storm(responder, campaigns), FreshMail(responder, weather.fresh)
        processes = {"worker": responder.worker.pid, "server": server.child.pid}
        async with Watch(processes) as watch, fresh.arriving():
            began = await storm.run(weather.seed)
        delays = await fresh.delays()
        requests = await responder.witness.requests()
        last, own, theirs = storm.samples[-1], watch.usage("worker"), watch.usage("server")
        actions = await server.count_actions() - before
        kinds = await count_actions(server.client, since, datetime.now(UTC))
        return {
            "seconds": last.seconds,
            "settled": last.settled,
            "held": last.held,
            "changes": last.changes,
            "longest_pause": longest_pause(storm.samples),
            "longest_poll_gap": longest_gap(requests, began),
            "fresh_mails": len(delays),
            "fresh_held": sum("moved" not in one for one in delays),
            "fresh_longest_to_case": max((one["case"] for one in delays), default=0.0),
            "fresh_longest_to_move": max((one.get("moved", 0.0) for one in delays), default=0.0),
            "fresh": delays,
            "requests": len(requests),
            "actions_per_case": round(actions / campaigns, 2),
            "actions_per_case_by_kind": {
                f"{workflow}: {what}": round(count / campaigns, 2)
                for (workflow, what), count in kinds.most_common()
            },
            **_cost("", own, theirs, campaigns),
            "database_mib": round(server.database_size / _MIB, 1),
            "per_minute": per_minute(storm.samples),
            "samples": [asdict(sample) for sample in storm.samples],
        }


def _cost(prefix: str, own: Usage, server: Usage, count: int) -> dict[str, float]:
    return {
        f"{prefix}worker_cpu_ms_per_case": round(own.cpu / count * 1000, 1),
        f"{prefix}server_cpu_ms_per_case": round(server.cpu / count * 1000, 1),
        f"{prefix}worker_mib": round(own.peak / _MIB, 1),
        f"{prefix}server_mib": round(server.peak / _MIB, 1),
    }


async def storm(  # noqa: PLR0913 - the options of a command
    *,
    campaigns: Annotated[int, typer.Option(help="How many campaigns come at once.", min=1)] = 5000,
    interval: Annotated[int, typer.Option(help="Seconds between two polls.", min=1)] = 5,
    rate: Annotated[str, typer.Option(help="Rate limit of the API.")] = "1200/300",
    guard: Annotated[str, typer.Option(help="on, or unlimited: no budgets.")] = "on",
    bare: Annotated[
        bool, typer.Option(help="Also run as many bare workflows, for the ratio of the CPU time.")
    ] = True,
    fresh: Annotated[
        int, typer.Option(help="Mails of new campaigns meanwhile, every five seconds.", min=0)
    ] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the mail.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure thousands of campaigns at once, with the guard at its defaults."""
    weather = Weather(campaigns, timedelta(seconds=interval), seed, rate, guard, fresh)
    figures = await measure(weather)
    if bare:
        plan = Plan(campaigns, "off", timedelta(seconds=interval), Random(seed))  # noqa: S311 - reproducible on purpose
        other = await run_bare(plan)
        assert other.server is not None
        figures |= _cost("bare_", other.own, other.server, campaigns)
        used = figures["worker_cpu_ms_per_case"] + figures["server_cpu_ms_per_case"]
        least = figures["bare_worker_cpu_ms_per_case"] + figures["bare_server_cpu_ms_per_case"]
        figures["cpu_ratio"] = round(used / least, 2)

    console = wide_console()
    for name, value in figures.items():
        if not isinstance(value, list | dict):
            console.print(f"{name.replace('_', ' '):28} {value}")
    for kind, count in figures["actions_per_case_by_kind"].items():
        console.print(f"actions per case: {kind:48} {count}")
    for row in figures["per_minute"]:
        console.print(f"minute {row['minute']:4}: {row['acts']:6,} acts, {row['holds']:6,} holds")
    write_json({**environment_info(), "campaigns": campaigns, **figures}, json)
