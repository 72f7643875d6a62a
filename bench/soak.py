"""A steady stream of mail for hours: what grows in memory, open files and the database."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Annotated

import psutil
import typer

from bench.report import environment_info, wide_console, write_json
from bench.stage import Responder, clawback
from clawback.model.events import EventKind
from clawback.simulator import Line, demo_corpus, parse_line, repeat_lines
from clawback.temporal import names

_MIB = 1 << 20
_STEP = 1.0


@dataclass(frozen=True)
class Sample:
    """What an installation holds at one moment. `history` is the poller's longest run so far."""

    minutes: float
    events: int
    worker_mib: float
    worker_files: int
    server_mib: float
    server_files: int
    database_mib: float
    workflows: int
    history: int


class Soak:
    """A stream of mail into a running clawback, and samples of what it holds."""

    def __init__(self, responder: Responder, rate: float) -> None:
        self._responder = responder
        self._rate = rate
        self._began = monotonic()
        self._sent = 0
        self.samples: list[Sample] = []

    async def run(self, duration: timedelta, every: timedelta) -> None:
        """Stream for so long, and take a sample every so often."""
        lines = repeat_lines([parse_line(line) for line in demo_corpus()])
        mail = (line for line in lines if line.kind == "message")
        due = 0.0
        while (elapsed := monotonic() - self._began) < duration.total_seconds():
            await self._send(mail, int(elapsed * self._rate) - self._sent)
            if elapsed >= due:
                due += every.total_seconds()
                await self.take_sample()
            await asyncio.sleep(_STEP)
        await self.take_sample()

    async def take_sample(self) -> None:
        """Add a sample of now."""
        server = self._responder.server
        poller = server.client.get_workflow_handle(names.poller_id(EventKind.MESSAGE))
        worker_mib, worker_files = _read_process(self._responder.worker.pid)
        server_mib, server_files = _read_process(server.child.pid)
        self.samples.append(
            Sample(
                minutes=round((monotonic() - self._began) / 60, 1),
                events=self._sent,
                worker_mib=worker_mib,
                worker_files=worker_files,
                server_mib=server_mib,
                server_files=server_files,
                database_mib=round(server.database_size / _MIB, 1),
                workflows=(await server.client.count_workflows("")).count,
                history=(await poller.describe()).history_length,
            )
        )
        typer.echo(f"{datetime.now(UTC):%H:%M:%S} {self.samples[-1]}", err=True)

    async def _send(self, mail: Iterator[Line], count: int) -> None:
        if count > 0:
            lines = [
                {"message": line.record, "detections": line.detections}
                for line in islice(mail, count)
            ]
            await self._responder.witness.inject(lines, stamp=True)
            self._sent += count


def growth_per_hour(samples: list[Sample]) -> dict[str, float]:
    """How much each figure grew per hour in the second half: the first one warms up."""
    half = samples[len(samples) // 2 :]
    hours = (half[-1].minutes - half[0].minutes) / 60
    names_of = [field.name for field in fields(Sample) if field.name != "minutes"]
    return {
        name: round((getattr(half[-1], name) - getattr(half[0], name)) / hours, 1) if hours else 0.0
        for name in names_of
    }


def _read_process(pid: int | None) -> tuple[float, int]:
    process = psutil.Process(pid)
    return round(process.memory_info().rss / _MIB, 1), process.num_fds()


async def soak(
    *,
    minutes: Annotated[float, typer.Option(help="How long.", min=0.1)] = 120.0,
    rate: Annotated[
        float, typer.Option(help="Messages per second; 0 measures an idle installation.", min=0)
    ] = 20.0,
    every: Annotated[float, typer.Option(help="Seconds between two samples.", min=1)] = 60.0,
    interval: Annotated[int, typer.Option(help="Seconds between two polls.", min=1)] = 5,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure what grows under a steady stream of mail, the guard at its defaults."""
    async with clawback("1200/300", timedelta(seconds=interval), guard="on") as responder:
        running = Soak(responder, rate)
        await running.run(timedelta(minutes=minutes), timedelta(seconds=every))
    growth = growth_per_hour(running.samples)
    console = wide_console()
    for name, value in growth.items():
        last = getattr(running.samples[-1], name)
        console.print(f"{name.replace('_', ' '):16} {last:>12,} at the end, {value:+,.1f} per hour")
    samples = [asdict(sample) for sample in running.samples]
    write_json({**environment_info(), "rate": rate, "growth": growth, "samples": samples}, json)
