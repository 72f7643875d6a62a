"""`clawback undo`: take back what cases did.

It finds the cases, shows what would change back, and has it done by a workflow.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer

from clawback.cases.undo_plan import UndoScope
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_table, say, tell, working
from clawback.cli.temporal_access import By, call_temporal, operating_system_user
from clawback.cli.time_arguments import parse_time_argument
from clawback.temporal.undo_gateway import CaseUnreadable, UndoCandidate, UndoGateway, UndoSummary

T = TypeVar("T")
app = typer.Typer(
    invoke_without_command=True,
    help="Take back what cases did: of one case, of a rule, of one message, or everything since a time.",
)

Since = Annotated[
    str,
    typer.Option("--since", help="Only what was done since: a time, or how long ago such as 2h."),
]
Reason = Annotated[
    str, typer.Option("--reason", help="Why; recorded in the case and in the audit.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change back.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]
_LOOK_EVERY = timedelta(seconds=2)


@dataclass(frozen=True)
class _Wanted:
    """What the command line asks for."""

    scope: UndoScope
    dry_run: bool
    yes: bool
    as_json: bool
    case: str | None = None
    rule: str | None = None


@app.callback()
def everything(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    since: Since = "",
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take back everything that was done since a time: `clawback undo --since 2h`."""
    if context.invoked_subcommand is not None:
        if since or reason or dry_run or yes or as_json:
            raise Failure(f"options come after {context.invoked_subcommand}", ExitCode.USAGE)
        return ExitCode.OK
    if not since:
        raise Failure(
            "say what to undo: case ID, rule NAME, message ID, or --since TIME", ExitCode.USAGE
        )
    return _undo(
        _Wanted(UndoScope(by=by, reason=reason, since=_moment(since)), dry_run, yes, as_json)
    )


@app.command("case")
def undo_case(  # noqa: PLR0913 - the options of a command
    case_id: Annotated[str, typer.Argument(help="The id of the case: case/<rule>/<hash>.")],
    *,
    since: Since = "",
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take back all that a case did, open or closed; an open one ends by it."""
    return _undo(
        _Wanted(
            UndoScope(by=by, reason=reason, since=_moment(since)),
            dry_run,
            yes,
            as_json,
            case=case_id,
        )
    )


@app.command("rule")
def undo_rule(  # noqa: PLR0913 - the options of a command
    name: Annotated[str, typer.Argument(help="The name of the rule.")],
    *,
    since: Since = "",
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take back what the cases of a rule did.

    Its new cases are held until `clawback rules confirm NAME`.
    """
    return _undo(
        _Wanted(
            UndoScope(by=by, reason=reason, since=_moment(since)), dry_run, yes, as_json, rule=name
        )
    )


@app.command("message")
def undo_message(  # noqa: PLR0913 - the options of a command
    message_id: Annotated[str, typer.Argument(help="The investigate id of the message.")],
    *,
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take back what was done to one message; its case goes on."""
    return _undo(
        _Wanted(UndoScope(by=by, reason=reason, messages=(message_id,)), dry_run, yes, as_json)
    )


def _undo(wanted: _Wanted) -> int:
    with working("Looking for what can be undone"):
        found = _asked(lambda undo: _find(undo, wanted))
    if not found:
        if wanted.as_json:
            print_json({"cases": []})
        else:
            say("There is nothing to undo.")
        return ExitCode.NO
    if wanted.dry_run or not wanted.as_json:
        _show(found, as_json=wanted.as_json)
    if wanted.dry_run:
        return ExitCode.OK
    if not wanted.yes and not _agreed():
        raise Failure("Nothing was undone.", ExitCode.NO)
    return _report(_asked(lambda undo: _carry_out(undo, found)), as_json=wanted.as_json)


async def _find(undo: UndoGateway, wanted: _Wanted) -> list[UndoCandidate]:
    found = [
        one
        async for one in undo.find(
            wanted.scope, case=wanted.case, rule=wanted.rule, since=wanted.scope.since
        )
    ]
    return sorted(found, key=lambda one: (one.request.case, one.request.run))


async def _carry_out(undo: UndoGateway, found: list[UndoCandidate]) -> UndoSummary:
    undoing = await undo.start(one.request for one in found)
    tell(f"{undoing} is under way; it goes on whatever becomes of this command.")
    result = asyncio.ensure_future(undo.result(undoing))
    while not result.done():
        await asyncio.wait([result], timeout=_LOOK_EVERY.total_seconds())
        if not result.done():
            progress = await undo.progress(undoing)
            tell(
                f"{progress.total - progress.left} of {progress.total} cases begun, {progress.undone.done} things taken back"
            )
    return result.result()


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise Failure(
            "say --yes to undo without being asked, or --dry-run to look only", ExitCode.USAGE
        )
    return typer.confirm("Take this back?")


def _show(found: list[UndoCandidate], *, as_json: bool) -> None:
    if as_json:
        print_json({"cases": [_as_json(one) for one in found]})
        return
    for one in found:
        say(
            f"{one.request.case}: {'open, would end' if one.is_open and one.request.scope.ends_cases else 'open' if one.is_open else 'closed'}"
        )
        for target in one.plan.messages:
            say(f"  {target.id} back to the inbox")
        for policy in one.plan.policies:
            say(f"  remove: {policy.describe_in_full()}")
        for correction in one.plan.corrections:
            say(f"  {correction.target.id} reclassified as {correction.disposition}")
        for action in one.plan.irreversible:
            say(f"  cannot be undone by clawback: {action}")
        if one.plan.notifications:
            say(
                f"  {one.plan.notifications} notifications were sent and cannot be taken back: tell the recipients yourself if they need to know"
            )
    works = [one.plan for one in found]
    messages = sum(len(work.messages) for work in works)
    corrections = sum(len(work.corrections) for work in works)
    policies = sum(len(work.policies) for work in works)
    parts = f"{messages} messages to return, {policies} blocks and policies to remove, {corrections} reclassifications to answer"
    say(f"In all: {len(found)} cases, {parts}.")


def _as_json(one: UndoCandidate) -> dict[str, Any]:
    return {
        "case": one.request.case,
        "run": one.request.run,
        "rule": one.plan.rule,
        "open": one.is_open,
        "messages": [target.id for target in one.plan.messages],
        "policies": [{"list": policy.resource, **policy.fields} for policy in one.plan.policies],
        "reclassifications": [
            {"message": one.target.id, "disposition": one.disposition}
            for one in one.plan.corrections
        ],
        "irreversible": list(one.plan.irreversible),
        "notifications_sent": one.plan.notifications,
    }


def _report(undone: UndoSummary, *, as_json: bool) -> int:
    if as_json:
        print_json(undone.model_dump(mode="json"))
    else:
        rows = [
            {
                "cases": undone.cases,
                "taken back": undone.done,
                "failed": undone.failed,
                "under way elsewhere": undone.under_way,
            }
        ]
        print_table(("cases", "taken back", "failed", "under way elsewhere"), rows, "")
    return ExitCode.NO if undone.failed else ExitCode.OK


def _asked(question: Callable[[UndoGateway], Awaitable[T]]) -> T:
    try:
        return call_temporal(lambda client: question(UndoGateway(client)))
    except CaseUnreadable as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error


def _moment(since: str) -> datetime | None:
    return parse_time_argument(since, "--since") if since else None
