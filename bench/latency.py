"""Measures how long a message stays in its mailbox, from discoverable to moved."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Annotated, Any

import typer

from bench.contenders import moment
from bench.report import environment_info, wide_console, write_json
from bench.stage import Responder, clawback, eventually
from clawback.simulator import outbreak

_BARS = " ▁▂▃▄▅▆▇█"
_BUCKET = 0.5


async def latencies(responder: Responder, messages: int, spacing: float, seed: int) -> list[float]:
    """Inject single messages at random moments; the seconds until each was moved."""
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    arrived: dict[str, datetime] = {}
    for number in range(messages):
        await asyncio.sleep(random.uniform(0, 2 * spacing))
        line = next(outbreak(1, seed=seed + number, sender=f"accounts@vendor{number:04d}.test"))
        arrived[line["message"]["id"]] = await responder.witness.inject([line], stamp=True)
    moved = await eventually(lambda: _moves(responder, messages))
    return [(moved[identity] - at).total_seconds() for identity, at in arrived.items()]


async def _moves(responder: Responder, messages: int) -> dict[str, datetime] | None:
    if (await responder.witness.counts())["by_operation"].get("move", 0) < messages:
        return None
    return {
        row["id"]: moment(row)
        for row in await responder.witness.changes()
        if row["operation"] == "move"
    }


def summary(seconds: list[float]) -> dict[str, float]:
    """The figures of a distribution."""
    cuts = quantiles(seconds, n=10, method="inclusive") if len(seconds) > 1 else seconds * 9
    return {
        "median": round(cuts[4], 3),
        "p90": round(cuts[8], 3),
        "max": round(max(seconds), 3),
        "min": round(min(seconds), 3),
    }


def histogram(seconds: list[float]) -> str:
    """One line: a bar for each half second from nought to the longest."""
    counted = Counter(int(value / _BUCKET) for value in seconds)
    most = max(counted.values())
    bars = (
        _BARS[-(-counted[bucket] * (len(_BARS) - 1) // most)] for bucket in range(max(counted) + 1)
    )
    return f"0 s |{''.join(bars)}| {(max(counted) + 1) * _BUCKET:g} s"


async def latency(
    *,
    messages: Annotated[int, typer.Option(help="How many messages arrive.", min=1)] = 60,
    interval: Annotated[
        int, typer.Option(help="Seconds between two polls of clawback.", min=1)
    ] = 5,
    spacing: Annotated[
        float, typer.Option(help="Seconds between two arrivals, on average.", min=0)
    ] = 2.0,
    seed: Annotated[int, typer.Option(help="Seed of the arrival times.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure the time from a message's arrival to its move."""
    typer.echo(f"{messages} messages arrive over about {messages * spacing:.0f} s", err=True)
    async with clawback("1200/300", timedelta(seconds=interval)) as responder:
        seconds = await latencies(responder, messages, spacing, seed)
    figures = summary(seconds)
    console = wide_console()
    console.print(
        f"{messages} messages, polled every {interval} s: "
        + " · ".join(f"{name} {value:.2f} s" for name, value in figures.items())
    )
    console.print(histogram(seconds))
    about: dict[str, Any] = {
        "messages": messages,
        "interval_seconds": interval,
        "spacing_seconds": spacing,
        "seed": seed,
    }
    write_json({**environment_info(), **about, **figures, "seconds": seconds}, json)
