"""Runs an undo: find the cases, show the plan, ask, and let a workflow carry it out."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import typer

from clawback.cases.undo_plan import UndoScope
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_json, print_status, print_text, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.cli.undo.output import plan_data, print_plan, print_undone
from clawback.temporal.undo_gateway import CaseUnreadable, UndoCandidate, UndoGateway, UndoSummary

T = TypeVar("T")

_PROGRESS_EVERY = timedelta(seconds=2)


@dataclass(frozen=True)
class UndoRequest:
    """What the command line asks for."""

    scope: UndoScope
    dry_run: bool
    yes: bool
    as_json: bool
    case: str | None = None
    rule: str | None = None


def run_undo(request: UndoRequest) -> int:
    """Show what would be undone and, unless it is a dry run, undo it.

    Raises:
        Failure: nobody agreed, or the server or a case does not answer.

    """
    with show_progress("Looking for what can be undone"):
        found = _call(lambda undo: _find(undo, request))
    if not found:
        if request.as_json:
            print_json({"cases": []})
        else:
            print_text("There is nothing to undo.")
        return ExitCode.NO

    if request.dry_run and request.as_json:
        print_json({"cases": [plan_data(one) for one in found]})
    elif not request.as_json:
        print_plan(found)
    if request.dry_run:
        return ExitCode.OK

    if not request.yes and not _confirm():
        raise Failure("nothing was undone", ExitCode.NO)
    undone = _call(lambda undo: _carry_out(undo, found))
    print_undone(undone, as_json=request.as_json)
    return ExitCode.NO if undone.failed else ExitCode.OK


async def _find(undo: UndoGateway, request: UndoRequest) -> list[UndoCandidate]:
    found = [
        one
        async for one in undo.find(
            request.scope, case=request.case, rule=request.rule, since=request.scope.since
        )
    ]
    return sorted(found, key=lambda one: (one.request.case, one.request.run))


async def _carry_out(undo: UndoGateway, found: list[UndoCandidate]) -> UndoSummary:
    workflow_id = await undo.start(one.request for one in found)
    print_status(f"Started {workflow_id}; it continues if this command is interrupted.")

    result = asyncio.ensure_future(undo.result(workflow_id))
    while not result.done():
        await asyncio.wait([result], timeout=_PROGRESS_EVERY.total_seconds())
        if not result.done():
            progress = await undo.progress(workflow_id)
            started = progress.total - progress.left
            print_status(
                f"{started} of {progress.total} cases started, "
                f"{progress.undone.done} actions undone"
            )
    return result.result()


def _confirm() -> bool:
    if not sys.stdin.isatty():
        raise Failure(
            "no terminal to ask on: --yes undoes without asking, --dry-run only shows the plan",
            ExitCode.USAGE,
        )
    return typer.confirm("Undo this?")


def _call(call: Callable[[UndoGateway], Awaitable[T]]) -> T:
    try:
        return call_temporal(lambda client: call(UndoGateway(client)))
    except CaseUnreadable as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
