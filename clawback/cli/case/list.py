"""`clawback case list`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.cases.undo_judgement import UndoHold
from clawback.cases.undo_notifications import describe_request
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
from clawback.cli.case.windows import WINDOW_COLUMNS, WINDOWS_DROP_FIRST, window_rows
from clawback.cli.exits import ExitCode
from clawback.cli.output import (
    AsJson,
    print_json,
    print_status,
    print_table,
    print_text,
    show_progress,
)
from clawback.cli.rule_names import require_loaded_rule
from clawback.cli.temporal_access import call_temporal
from clawback.garbage_collection import without_garbage_collection
from clawback.model.level import Level
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.fan_out import Answers
from clawback.temporal.undo_decisions import UndoDecisions


class SortBy(StrEnum):
    """The keys that a list of cases can be sorted by."""

    OPENED = "opened"
    AGE = "age"
    STATE = "state"
    RULE = "rule"
    MODE = "mode"


@dataclass(frozen=True)
class _Order:
    key: Callable[[CaseLine], Any]
    descending: bool = False


def _state_number(case: CaseLine) -> int:
    states = [*CaseState]
    return states.index(CaseState(case.state)) if case.state in states else len(states)


_ORDERS = {
    SortBy.OPENED: _Order(lambda case: case.opened_at, descending=True),
    SortBy.AGE: _Order(lambda case: case.lasted(datetime.now(UTC)), descending=True),
    SortBy.STATE: _Order(_state_number),
    SortBy.RULE: _Order(lambda case: (case.rule, case.id)),
    SortBy.MODE: _Order(lambda case: case.mode),
}


def list_cases(  # noqa: PLR0913 - the options of a command
    *,
    state: State = None,
    rule: RuleName = None,
    mode: CaseMode = None,
    level: Annotated[
        Level | None, typer.Option("--level", help="Only cases of rules with this level.")
    ] = None,
    since: Since = "",
    until: Annotated[
        str, typer.Option("--until", help="Only cases opened before a time, or an age such as 2h.")
    ] = "",
    sender: Annotated[
        str | None,
        typer.Option("--sender", help="Only cases with mail from this address."),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option(
            "--message", help="Only cases with this message: its investigate id or Message-ID."
        ),
    ] = None,
    mailbox: Annotated[
        str | None, typer.Option("--mailbox", help="Only cases with mail in this mailbox.")
    ] = None,
    sort: Annotated[
        SortBy | None, typer.Option(help="Sort key; default held cases first, then the newest.")
    ] = None,
    watching: Annotated[
        bool,
        typer.Option(
            "--watching",
            help="List what correlations are counting, closest to the threshold first.",
        ),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number of cases.")] = 50,
    as_json: AsJson = False,
) -> int:
    """List cases, open and closed: held ones first, then the newest."""
    if watching:
        return _list_windows(rule, limit, as_json=as_json)

    about = {"sender": sender, "message": message, "mailbox": mailbox}
    wanted = build_filter(since, until, state=state, rule=rule, mode=mode, level=level, **about)
    with without_garbage_collection():
        with show_progress("Reading cases"):
            found, undos = call_temporal(lambda client: _find(client, wanted, limit))

        if not found:
            require_loaded_rule(rule)
        if sort is not None:
            found = sorted(found, key=_ORDERS[sort].key, reverse=_ORDERS[sort].descending)
        _print_cases(found, as_json=as_json)

    _mention_undos(undos, as_json=as_json)
    return ExitCode.OK


async def _find(
    client: Client, wanted: CaseFilter, limit: int
) -> tuple[list[CaseLine], Answers[UndoHold]]:
    """Find cases, and the undos that wait for people unless only some cases are asked for."""
    found = await CaseGateway(client).find_held_first(wanted, limit)
    if replace(wanted, state=None) != CaseFilter() or wanted.state not in {None, CaseState.HELD}:
        return found, Answers({}, {})
    return found, await UndoDecisions(client).held()


def _mention_undos(undos: Answers[UndoHold], *, as_json: bool) -> None:
    """Say which undos wait for a second person; beside JSON, which lists cases alone."""
    say = print_status if as_json else print_text
    for undo, hold in undos.given.items():
        say(
            f"{undo} is held: {describe_request(hold)}. Until {hold.expires_at:%F %H:%M} UTC: "
            f"clawback undo approve {undo}"
        )
    for page, why in undos.unanswered.items():
        print_status(f"{page} cannot be read: {why}")


def _print_cases(found: list[CaseLine], *, as_json: bool) -> None:
    if as_json:
        print_json([case.as_json() for case in found])
        return
    if not found:
        print_text("No such case.")
        return

    rows = table_rows(found, datetime.now(UTC))
    print_table(COLUMNS, rows, drop_first=DROP_FIRST, styles=STYLES)
    for case in found:
        if case.unreadable:
            print_status(f"{case.id}: {case.unreadable}")


def _list_windows(rule: str | None, limit: int, *, as_json: bool) -> int:
    with show_progress("Reading windows"):
        windows = call_temporal(lambda client: CorrelationGateway(client).windows(rule, limit))

    if as_json:
        print_json([window.model_dump(mode="json") for window in windows.found])
    elif windows.found:
        rows = window_rows(windows.found, datetime.now(UTC))
        print_table(WINDOW_COLUMNS, rows, drop_first=WINDOWS_DROP_FIRST)
    else:
        print_text("Nothing is being counted.")

    for shard, why in windows.unanswered.items():
        print_status(f"{shard} is left out: {why}")
    return ExitCode.NO if windows.unanswered else ExitCode.OK
