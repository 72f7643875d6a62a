"""`clawback case`: list cases, watch them, look into one, decide a held one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from temporalio.client import Client

from clawback.cases import CaseState, Proposal
from clawback.cli.case.lookup import full_id, gather_page
from clawback.cli.case.page import STYLES
from clawback.cli.case.watch import FIRST_TO_GO, case_table, watch
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, say, working
from clawback.cli.tables import print_fitting
from clawback.cli.temporal_access import By, call_temporal, operating_system_user
from clawback.cli.time_arguments import parse_time_argument
from clawback.model.mode import Mode
from clawback.model.texts import printable
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter, CaseLine

app = typer.Typer(
    no_args_is_help=True, help="List cases, watch them, look into one, decide a held one."
)

Id = Annotated[
    str, typer.Argument(help="The case: case/<rule>/<hash>, or the first digits of its hash.")
]
_SHOWN = 20
Reason = Annotated[
    str, typer.Option("--reason", help="Why; recorded in the case and in the audit.")
]


@dataclass(frozen=True)
class _Sorting:
    """How a list is sorted: what by, and whether the largest come first."""

    key: Callable[[CaseLine], Any]
    descending: bool = False


class SortBy(StrEnum):
    """What a list of cases may be sorted by.

    Unless told, cases that wait for people come first, then the newest.
    """

    OPENED = "opened"
    AGE = "age"
    STATE = "state"
    RULE = "rule"
    MODE = "mode"


_SORTING = {
    SortBy.OPENED: _Sorting(lambda line: line.opened_at, descending=True),
    SortBy.AGE: _Sorting(lambda line: line.lasted(datetime.now(UTC)), descending=True),
    SortBy.STATE: _Sorting(
        lambda line: (
            [*CaseState].index(CaseState(line.state))
            if line.state in [*CaseState]
            else len(CaseState)
        )
    ),
    SortBy.RULE: _Sorting(lambda line: (line.rule, line.id)),
    SortBy.MODE: _Sorting(lambda line: line.mode),
}
OfState = Annotated[CaseState | None, typer.Option("--state", help="Only cases in this state.")]
OfRule = Annotated[str | None, typer.Option("--rule", help="Only cases of this rule.")]
OfMode = Annotated[Mode | None, typer.Option("--mode", help="Only cases with this mode.")]
Since = Annotated[
    str,
    typer.Option("--since", help="Only cases opened since: a time, or how long ago such as 2h."),
]
Until = Annotated[
    str,
    typer.Option("--until", help="Only cases opened until: a time, or how long ago such as 2h."),
]
OfSender = Annotated[
    str | None,
    typer.Option("--sender", help="Only cases about mail of this sender: an address, or its hash."),
]
OfMessage = Annotated[
    str | None,
    typer.Option(
        "--message", help="Only cases about this message: its investigate id or Message-ID."
    ),
]
OfMailbox = Annotated[
    str | None, typer.Option("--mailbox", help="Only cases about mail in this mailbox.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many.")]


@app.command("list")
def list_cases(  # noqa: PLR0913 - the options of a command
    *,
    state: OfState = None,
    rule: OfRule = None,
    mode: OfMode = None,
    since: Since = "",
    until: Until = "",
    sender: OfSender = None,
    message: OfMessage = None,
    mailbox: OfMailbox = None,
    sort: Annotated[
        SortBy | None,
        typer.Option(help="Sort by this; else those that wait for people, then the newest."),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> int:
    """List cases, open and closed: those that wait for people first, then the newest."""
    wanted = _filter(
        state=state,
        rule=rule,
        mode=mode,
        since=since,
        until=until,
        sender=sender,
        message=message,
        mailbox=mailbox,
    )
    with working("Looking"):
        found = call_temporal(lambda client: CaseGateway(client).find_held_first(wanted, limit))
    if sort is not None:
        found = sorted(found, key=_SORTING[sort].key, reverse=_SORTING[sort].descending)
    if as_json:
        print_json([line.model_dump(mode="json") for line in found])
    elif found:
        columns, rows = case_table(found, datetime.now(UTC))
        print_fitting(columns, rows, first_to_go=FIRST_TO_GO, colours=STYLES)
    else:
        say("There are no such cases.")
    return ExitCode.OK


@app.command()
def show(case_id: Id, *, as_json: AsJson = False) -> int:
    """Show one case: why it matched, what happened when, what was done to whom, what it may still spend, and what can be done about it."""
    with working("Looking"):
        page = call_temporal(lambda client: gather_page(client, case_id))
    if as_json:
        print_json(page.as_json())
        return ExitCode.OK
    lines = list(page.lines(datetime.now(UTC)))
    width = max(len(heading) for heading, _ in lines)
    console = Console(highlight=False, soft_wrap=True)
    for heading, line in lines:
        text = Text(heading.ljust(width), "bold").append("  ")
        console.print(
            text.append(
                printable(line),
                STYLES.get(line.partition(" ")[0], "") if heading == "state" else "",
            )
        )
    return ExitCode.OK


@app.command("watch")
def watch_cases(  # noqa: PLR0913 - the options of a command
    case_id: Annotated[
        str, typer.Argument(help="Watch one case until it ends.", show_default=False)
    ] = "",
    *,
    state: OfState = None,
    rule: OfRule = None,
    mode: OfMode = None,
    since: Since = "",
    limit: Limit = 20,
    as_json: AsJson = False,
) -> int:
    """Watch cases change until Ctrl-C, or one case until it ends.

    Exit code 0 if it was closed, 1 if it was denied, expired or undone.
    """
    filtered = _filter(state=state, rule=rule, mode=mode, since=since)

    async def watched(client: Client) -> list[CaseLine]:
        wanted = (
            replace(filtered, id_prefix=await full_id(client, case_id)) if case_id else filtered
        )
        return await watch(
            CaseGateway(client),
            wanted,
            1 if case_id else limit,
            as_json=as_json,
            until=_has_ended if case_id else lambda _: False,
        )

    last = call_temporal(watched)
    return ExitCode.OK if last and last[0].shown_state == CaseState.CLOSED else ExitCode.NO


def _has_ended(lines: list[CaseLine]) -> bool:
    return not lines or lines[0].closed_at is not None


def _filter(since: str = "", until: str = "", **said: Any) -> CaseFilter:
    return CaseFilter(
        **said,
        since=parse_time_argument(since, "--since") if since else None,
        until=parse_time_argument(until, "--until") if until else None,
    )


@app.command()
def approve(
    case_id: Id,
    *,
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    digest: Annotated[
        str,
        typer.Option(
            help="What you agree to: the digest that was shown. Without it you are asked."
        ),
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Let a held case do exactly what you were shown.

    If it has changed since, it refuses and says how.
    """
    case = call_temporal(lambda client: full_id(client, case_id))
    shown = digest or _shown(call_temporal(lambda client: CaseGateway(client).proposal(case)))
    return _decided(
        case,
        call_temporal(lambda client: CaseGateway(client).approve(case, by, shown, reason)),
        as_json=as_json,
    )


@app.command()
def deny(
    case_id: Id,
    *,
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """End a held case without acting."""
    case = call_temporal(lambda client: full_id(client, case_id))
    return _decided(
        case,
        call_temporal(lambda client: CaseGateway(client).deny(case, by, reason)),
        as_json=as_json,
    )


def _shown(proposal: Proposal) -> str:
    """Show what would be done and ask.

    Without a terminal nobody has seen anything, so nothing is approved.
    """
    if not sys.stdin.isatty():
        raise Failure(
            "say what you approve: --digest DIGEST, as `clawback case show` gives it",
            ExitCode.USAGE,
        )
    print_proposal(proposal)
    if not typer.confirm("Let it?"):
        raise Failure("Nothing was approved.", ExitCode.NO)
    return proposal.digest


def print_proposal(proposal: Proposal) -> None:
    """Show what a held case would do."""
    say(f"It would {'; '.join(proposal.actions)}, for {len(proposal.messages)} messages:")
    for message in proposal.messages[:_SHOWN]:
        say(f"  {message}")
    if len(proposal.messages) > _SHOWN:
        say(f"  and {len(proposal.messages) - _SHOWN} more")
    say(
        f"{proposal.needs} {'people' if proposal.needs > 1 else 'person'} must agree. Digest {proposal.digest}"
    )


def _decided(case_id: str, state: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"case": case_id, "state": state})
    else:
        more = ": another person must agree too" if state == CaseState.HELD else ""
        say(f"{case_id} is {state}{more}.")
    return ExitCode.OK
