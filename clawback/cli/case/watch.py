"""`clawback case watch`: a live table on a terminal, one line per change in a pipe."""

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.cases import CaseState
from clawback.cli.case.lookup import find_id
from clawback.cli.case.table import (
    COLUMNS,
    DROP_FIRST,
    STYLES,
    CaseMode,
    RuleName,
    Since,
    State,
    build_filter,
    table_rows,
)
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, build_table, print_error, print_json_text, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter

_EVERY = 2.0
"""Seconds between two reads of the list; each is one request and needs no worker."""


def watch(  # noqa: PLR0913 - the options of a command
    case_id: Annotated[
        str, typer.Argument(help="Case to watch until it ends; default all.", show_default=False)
    ] = "",
    *,
    state: State = None,
    rule: RuleName = None,
    mode: CaseMode = None,
    since: Since = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number of cases.")] = 20,
    as_json: AsJson = False,
) -> int:
    """Watch cases until Ctrl-C, or one case until it ends.

    Exit code 0 if that case closed, 1 if it was denied, expired or undone.
    """
    wanted = build_filter(since, state=state, rule=rule, mode=mode)

    async def run(client: Client) -> list[CaseLine]:
        cases = CaseGateway(client)
        if not case_id:
            return await Watcher(cases, wanted, limit, until_end=False).run(as_json=as_json)
        one = replace(wanted, id_prefix=await find_id(client, case_id))
        return await Watcher(cases, one, 1, until_end=True).run(as_json=as_json)

    last = call_temporal(run)
    if case_id and not last:
        raise Failure(f"there is no case {case_id}; see `clawback case list`", ExitCode.NO)
    return ExitCode.OK if last and last[0].shown_state == CaseState.CLOSED else ExitCode.NO


@dataclass(frozen=True)
class Watcher:
    """Reads the cases of a filter again and again, and shows what changes."""

    cases: CaseGateway
    wanted: CaseFilter
    limit: int
    until_end: bool
    every: float = _EVERY

    async def run(self, *, as_json: bool) -> list[CaseLine]:
        """Show changes until the end; return the cases as they were read last."""
        if as_json or not sys.stdout.isatty():
            return await self._print_changes(as_json=as_json)
        return await self._show_live()

    async def _show_live(self) -> list[CaseLine]:
        with Live(console=Console(highlight=False), auto_refresh=False, transient=False) as live:
            found = await self._read()
            while True:
                rows, width = table_rows(found, datetime.now(UTC)), live.console.width
                table = build_table(
                    COLUMNS, rows, drop_first=DROP_FIRST, styles=STYLES, width=width
                )
                live.update(table, refresh=True)
                if self._is_over(found):
                    return found

                found = await self._read_again()

    async def _print_changes(self, *, as_json: bool) -> list[CaseLine]:
        known: dict[str, str] = {}
        found = await self._read()
        while True:
            for case in reversed(found):
                if known.get(case.run) != case.shown_state:
                    _print_change(case, known.get(case.run), as_json=as_json)
                    known[case.run] = case.shown_state

            sys.stdout.flush()
            if self._is_over(found):
                return found

            found = await self._read_again()

    async def _read_again(self) -> list[CaseLine]:
        """Read the list after a pause, and again while the server does not answer.

        A server that restarts is back soon, and only its user ends a watch.
        """
        is_told = False
        while True:
            await asyncio.sleep(self.every)
            try:
                return await self._read()
            except RPCError as error:
                if not is_told:
                    print_error(f"the Temporal server does not answer: {error.message}; waiting")
                is_told = True

    async def _read(self) -> list[CaseLine]:
        return await self.cases.find_held_first(self.wanted, self.limit)

    def _is_over(self, found: list[CaseLine]) -> bool:
        return self.until_end and (not found or found[0].closed_at is not None)


def _print_change(case: CaseLine, before: str | None, *, as_json: bool) -> None:
    now, state = datetime.now(UTC), case.shown_state
    if as_json:
        what = {"at": now.isoformat(), "case": case.id, "rule": case.rule, "mode": case.mode}
        print_json_text(json.dumps({**what, "before": before, "state": state}, ensure_ascii=False))
    else:
        change = f"{before} → {state}" if before else state
        print_text(f"{now:%H:%M:%S}  {change}  {case.id}  {case.mode}")
