"""What a worker takes after very many messages that match nothing."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Annotated

import psutil
import typer

from bench.report import environment_info, wide_console, write_json
from bench.stage import Responder, clawback, eventually
from clawback.model.events import EventKind
from clawback.simulator import Line, demo_corpus, parse_line, repeat_lines

_MIB = 1 << 20
_BATCH = 10_000
_RATE = "100000/60"


@dataclass(frozen=True)
class Point:
    """The memory of the worker after so many messages."""

    messages: int
    worker_mib: float
    seconds: float


def clean_mail() -> list[Line]:
    """The messages of the demo corpus that no rule has a reason to match."""
    lines = (parse_line(line) for line in demo_corpus())
    return [
        line
        for line in lines
        if line.kind == "message" and line.record.get("final_disposition") in (None, "NONE")
    ]


async def read_batches(responder: Responder, messages: int, every: int) -> list[Point]:
    """Let the worker read batch after batch, each new to it and gone before the next."""
    mail, began = repeat_lines(clean_mail()), monotonic()
    points = [_measure(responder, 0, began)]
    for sent in range(_BATCH, messages + 1, _BATCH):
        lines = [{"message": line.record} for line in islice(mail, _BATCH)]
        await responder.witness.inject(lines, stamp=True)
        await eventually(lambda: _has_seen(responder, sent))  # noqa: B023 - awaited in the loop
        await responder.witness.reset()
        if sent % every < _BATCH:
            points.append(_measure(responder, sent, began))
            typer.echo(f"{datetime.now(UTC):%H:%M:%S} {points[-1]}", err=True)
    return points


async def _has_seen(responder: Responder, count: int) -> bool | None:
    status = await responder.pollers.status(EventKind.MESSAGE)
    return status.seen >= count or None


def _measure(responder: Responder, messages: int, began: float) -> Point:
    resident = psutil.Process(responder.worker.pid).memory_info().rss
    return Point(messages, round(resident / _MIB, 1), round(monotonic() - began, 1))


async def memory(
    *,
    messages: Annotated[int, typer.Option(help="How many.", min=_BATCH)] = 1_000_000,
    every: Annotated[int, typer.Option(help="Messages between two measurements.", min=1)] = 100_000,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure the memory of a worker that reads very many messages."""
    async with clawback(_RATE, timedelta(seconds=1)) as responder:
        points = await read_batches(responder, messages, every)
    console = wide_console()
    for point in points:
        console.print(f"{point.messages:>12,} messages {point.worker_mib:>8,} MiB")
    write_json({**environment_info(), "points": [asdict(point) for point in points]}, json)
