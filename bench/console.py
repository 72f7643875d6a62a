"""The pages of the console over many cases: server time, weight, memory, idle streams.

No worker runs, so no case can be replayed: lists come from the index alone.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Annotated
from urllib.parse import urlencode

import httpx
import psutil
import typer
from rich.table import Table

from bench.lists import fill, match_of
from bench.report import environment_info, wide_console, write_json
from bench.stage import FOREIGN, Server, eventually, temporal
from clawback.local import environment_with, free_port
from clawback.temporal.case_gateway import CaseGateway

_COMMAND = "from clawback.cli import main; main()"
_MIB = 1 << 20
_KIB = 1 << 10
_CSRF_FIELD = 'name="csrf" value="'
_STREAM_SECONDS = 10.0
_PATIENCE = 120.0


@dataclass(frozen=True)
class Reading:
    """One page: seconds from request to the last byte, and bytes without compression."""

    median: float
    p95: float
    bytes: int


@dataclass(frozen=True)
class Visit:
    """A running console, and a browser's session with it."""

    http: httpx.AsyncClient
    process: psutil.Process
    csrf: str


@asynccontextmanager
async def visiting(server: Server, count: int) -> AsyncIterator[Visit]:
    """Run the console as a process of its own and sign in; it has read all cases."""
    url = f"http://127.0.0.1:{free_port()}"
    with TemporaryDirectory() as folder:
        environment = environment_with(
            {
                **server.environment,
                "CLAWBACK_CONSOLE": url.removeprefix("http://"),
                "CLAWBACK_STATE": folder,
            },
            without=FOREIGN,
        )
        command = (sys.executable, "-c", _COMMAND, "console")
        child = await asyncio.create_subprocess_exec(*command, env=environment)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=60.0) as http:
                await eventually(lambda: _is_up(http), patience=_PATIENCE)
                link = await _read_link(environment)
                page = await http.get(link, follow_redirects=True)
                csrf = page.text.partition(_CSRF_FIELD)[2].partition('"')[0]
                visit = Visit(http, psutil.Process(child.pid), csrf)
                await eventually(lambda: _has_read(visit, count), patience=_PATIENCE)
                yield visit
        finally:
            child.terminate()
            await child.wait()


async def _is_up(http: httpx.AsyncClient) -> bool | None:
    try:
        return (await http.get("/healthz")).is_success or None
    except httpx.TransportError:
        return None


async def _read_link(environment: dict[str, str]) -> str:
    command = (sys.executable, "-c", _COMMAND, "console", "--link")
    child = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await child.communicate()
    return printed.decode().strip()


async def _has_read(visit: Visit, count: int) -> bool | None:
    page = await visit.http.get("/?state=all")
    return f"of {count:,}" in page.text or None


async def read_page(visit: Visit, path: str, rounds: int) -> Reading:
    """Read one page several times, one after the other."""
    seconds, size = [], 0
    for _ in range(rounds):
        began = monotonic()
        page = (await visit.http.get(path)).raise_for_status()
        seconds.append(monotonic() - began)
        size = len(page.content)
    return Reading(median(seconds), quantiles(seconds, n=20)[-1], size)


async def find_touching(visit: Visit, address: str) -> str:
    """Search for an address as the search box does; return the path of the list."""
    form = {"csrf": visit.csrf, "q": address}
    origin = str(visit.http.base_url).rstrip("/")
    answer = await visit.http.post(
        "/search", data=form, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    )
    return answer.headers["location"]


async def share_of_streams(visit: Visit, streams: int) -> float:
    """Open idle streams; return the share of a core that the console takes while they wait."""

    async def listen() -> None:
        async with visit.http.stream("GET", "/events?topic=case/none/0") as stream:
            async for _ in stream.aiter_raw():
                pass

    tasks = [asyncio.create_task(listen()) for _ in range(streams)]
    try:
        await asyncio.sleep(2.0)
        before = visit.process.cpu_times()
        await asyncio.sleep(_STREAM_SECONDS)
        after = visit.process.cpu_times()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    seconds = after.user + after.system - before.user - before.system
    return float(seconds) / _STREAM_SECONDS


async def console(
    *,
    cases: Annotated[int, typer.Option(help="How many cases there are.", min=100)] = 10_000,
    rounds: Annotated[int, typer.Option(help="How often each page is read.", min=2)] = 20,
    streams: Annotated[int, typer.Option(help="Idle event streams.", min=1)] = 2,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure the pages of the console over many cases, without a worker."""
    async with temporal() as server:
        await fill(CaseGateway(server.client), cases, 0)
        async with visiting(server, cases) as visit:
            sender = match_of(cases // 2, datetime.now(UTC)).targets[0].sender or ""
            pages = {
                "inbox": "/",
                "all cases": "/?state=all",
                "by rule, newest first": "/?" + urlencode({"state": "all", "rule": "rule_1"}),
                "search for a word": "/?state=all&q=s77",
                "search for an address": await find_touching(visit, sender),
                "history": "/history",
            }
            read = {name: await read_page(visit, path, rounds) for name, path in pages.items()}
            memory = visit.process.memory_info().rss / _MIB
            share = await share_of_streams(visit, streams)

    table = Table("page", "median ms", "p95 ms", "KiB")
    for name, one in read.items():
        table.add_row(
            name, f"{one.median * 1e3:.0f}", f"{one.p95 * 1e3:.0f}", f"{one.bytes / _KIB:.0f}"
        )
    shown = wide_console()
    shown.print(table)
    shown.print(f"· {cases:,} cases, no worker runs; the console takes {memory:.0f} MiB")
    shown.print(f"· {streams} idle streams take {share:.1%} of a core, with the renewal of lists")
    figures = {name: asdict(one) for name, one in read.items()}
    write_json(
        {
            "environment": environment_info(),
            "pages": figures,
            "memory_mib": memory,
            "streams": streams,
            "core": share,
        },
        json,
    )
