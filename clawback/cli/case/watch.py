"""`clawback case watch`: cases as they change.

On a terminal a list that stays true; in a pipe one line a change.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live

from clawback.cli.case.page import STYLES
from clawback.cli.output import say
from clawback.cli.tables import fitted
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter, CaseLine

EVERY = 2.0
"""Seconds between two looks: one request each, and no work for anybody."""


Ended = Callable[[list[CaseLine]], bool]
"""Whether there is nothing more to watch."""


async def watch(
    cases: CaseGateway, wanted: CaseFilter, limit: int, *, as_json: bool, until: Ended
) -> list[CaseLine]:
    """Show the cases and every change of their state, until `until` holds for those that are shown; gives the last ones."""
    if as_json or not sys.stdout.isatty():
        return await _told(cases, wanted, limit, as_json=as_json, until=until)
    with Live(console=Console(highlight=False), auto_refresh=False, transient=False) as live:
        while True:
            found = await cases.find_held_first(wanted, limit)
            columns, rows = case_table(found, datetime.now(UTC))
            live.update(
                fitted(
                    columns, rows, first_to_go=FIRST_TO_GO, colours=STYLES, width=live.console.width
                ),
                refresh=True,
            )
            if until(found):
                return found
            await asyncio.sleep(EVERY)


async def _told(
    cases: CaseGateway, wanted: CaseFilter, limit: int, *, as_json: bool, until: Ended
) -> list[CaseLine]:
    known: dict[str, str] = {}
    while True:
        found = await cases.find_held_first(wanted, limit)
        for line in reversed(found):
            if known.get(line.run) != line.shown_state:
                _tell_change(line, known.get(line.run), as_json=as_json)
                known[line.run] = line.shown_state
        sys.stdout.flush()
        if until(found):
            return found
        await asyncio.sleep(EVERY)


def _tell_change(line: CaseLine, before: str | None, *, as_json: bool) -> None:
    now = datetime.now(UTC)
    if as_json:
        change: dict[str, Any] = {
            "at": now.isoformat(),
            "case": line.id,
            "rule": line.rule,
            "mode": line.mode,
        }
        say(json.dumps({**change, "before": before, "state": line.shown_state}, ensure_ascii=False))
    else:
        say(
            f"{now:%H:%M:%S}  {f'{before} → ' if before else ''}{line.shown_state}  {line.id}  {line.mode}"
        )


COLUMNS = ("state", "mode", "opened", "for", "case")
FIRST_TO_GO = ("mode", "opened", "for")


def case_table(
    lines: list[CaseLine], now: datetime
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Put cases into the columns of a list."""
    rows: list[tuple[str, ...]] = []
    for line in lines:
        rows.append(  # noqa: PERF401 - it fits
            (
                line.shown_state,
                line.mode,
                f"{line.opened_at:%Y-%m-%d %H:%M:%S}",
                age(line.lasted(now)),
                line.id,
            )
        )
    return COLUMNS, rows


def age(seconds: float) -> str:
    """Say how long in one or two units, as lists do: `12s`, `5m`, `3h`, `9d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
