"""Runs an undo: find the cases, show the plan, ask, and let a workflow carry it out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import typer
from temporalio.client import Client

from clawback.case_files.undo_preview import (
    Judgement,
    UndoJudge,
    describe_hold,
    found_data,
    judgement_lines,
    read_undo_limits,
)
from clawback.cases.undo_judgement import UndoHold
from clawback.cases.undo_plan import UndoScope
from clawback.cli.exits import ExitCode, Failure, require_terminal
from clawback.cli.output import (
    print_json,
    print_json_object,
    print_status,
    print_text,
    show_progress,
)
from clawback.cli.rule_names import require_loaded_rule
from clawback.cli.temporal_access import call_temporal
from clawback.cli.undo.output import noun, print_plan, print_undone
from clawback.garbage_collection import without_garbage_collection
from clawback.local.worker_api import open_worker_api
from clawback.model.texts import plural
from clawback.settings import load_settings
from clawback.temporal.fan_out import Answers
from clawback.temporal.undo_gateway import (
    FoundUndo,
    NothingKnown,
    UndoGateway,
    UndoProgress,
    UndoSummary,
)

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


@dataclass(frozen=True)
class HeldUndo:
    """An undo that waits for a second person."""

    id: str
    hold: UndoHold


def run_undo(request: UndoRequest) -> int:
    """Show what would be undone and, unless it is a dry run, undo it.

    Cases that cannot be read are reported and left out; the exit code then is not OK.

    Raises:
        Failure: what is named does not exist, nobody agreed, or the server does not answer.

    """
    with without_garbage_collection():
        found = _show_plan(request)

    is_any = bool(found.candidates or found.unread)
    incomplete = ExitCode.NO if found.unreadable else ExitCode.OK
    if request.dry_run or not is_any:
        return incomplete

    if not request.yes and not _confirm():
        raise Failure("nothing was undone", ExitCode.NO)

    found = _read_rest(request, found)
    answers = _call(lambda undo: _carry_out(undo, request.scope, found))
    if isinstance(answers, HeldUndo):
        return _report_hold(answers, as_json=request.as_json)

    undone = UndoSummary.total(answers.given.values())
    print_undone(undone, found, answers.unanswered, as_json=request.as_json)
    is_whole = not (undone.failed or undone.refused or found.unreadable or answers.errors)
    return ExitCode.OK if is_whole else ExitCode.NO


def _report_hold(held: HeldUndo, *, as_json: bool) -> int:
    if as_json:
        print_json({"undo": held.id, "held": held.hold.model_dump(mode="json")})
    else:
        print_text(describe_hold(held.id, held.hold))
    return ExitCode.NO


def _show_plan(request: UndoRequest) -> FoundUndo:
    with show_progress("Looking for what can be undone"):
        found = _call(
            lambda undo: undo.find(request.scope, case=request.case, rule=request.rule),
            request.rule,
        )

    if request.as_json and not request.dry_run and (found.candidates or found.unread):
        # The one JSON document is what was undone.
        return found
    if request.as_json:
        found = _read_rest(request, found)

    with show_progress("Reading present verdicts"):
        judged = _judge(request, found)

    if request.as_json:
        judgement = ("judgement", judged.assessment.model_dump(mode="json"))
        print_json_object((*found_data(found), judgement))
        return found

    print_plan(found, ends_cases=request.scope.ends_cases)
    for line in judgement_lines(judged.assessment, judged.notes):
        print_text(line)
    return found


def _judge(request: UndoRequest, found: FoundUndo) -> Judgement:
    settings = load_settings()
    limits = read_undo_limits(settings.rules, settings.safety)

    async def judge(client: Client) -> Judgement:
        judge_here = UndoJudge(client, lambda: open_worker_api(settings), limits)
        return await judge_here.judge(found, request.scope.actor)

    return call_temporal(judge)


def _read_rest(request: UndoRequest, found: FoundUndo) -> FoundUndo:
    if not found.unread:
        return found
    with show_progress(f"Reading {len(found.unread):,} more histories"):
        return _call(lambda undo: undo.read_rest(found, request.scope))


async def _carry_out(
    undo: UndoGateway, scope: UndoScope, found: FoundUndo
) -> Answers[UndoSummary] | HeldUndo:
    ids = await undo.start(scope, (one.case for one in found.candidates))
    print_status(f"Started {', '.join(ids)}; it continues if this command is interrupted.")

    result = asyncio.ensure_future(undo.result(ids))
    while not result.done():
        await asyncio.wait([result], timeout=_PROGRESS_EVERY.total_seconds())
        if not result.done():
            pages = await undo.progress(ids)
            if (hold := UndoProgress.total_of(pages.given.values()).hold) is not None:
                result.cancel()
                return HeldUndo(ids[0].rpartition("/")[0], hold)
            print_status(_describe(pages, noun(found)))

    return result.result()


def _describe(pages: Answers[UndoProgress], what: str) -> str:
    progress = UndoProgress.total_of(pages.given.values())
    started = progress.total - progress.left
    text = (
        f"{started:,} of {plural(progress.total, what)} started, "
        f"{plural(progress.undone.done, 'action')} undone"
    )
    silent = ", ".join(pages.errors)
    return f"{text}; {silent} does not answer now" if silent else text


def _confirm() -> bool:
    require_terminal("--yes undoes without asking, --dry-run only shows the plan")
    return typer.confirm("Undo this?")


def _call(call: Callable[[UndoGateway], Awaitable[T]], rule: str | None = None) -> T:
    try:
        return call_temporal(lambda client: call(UndoGateway(client)))
    except NothingKnown as error:
        require_loaded_rule(rule)
        raise Failure(str(error), ExitCode.NO) from error
