"""`clawback case`: list cases, look into one, decide a held one."""

import sys
from typing import Annotated

import typer

from clawback.cases import CaseStart, Proposal, State
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_table, say
from clawback.cli.temporal import By, ask, myself
from clawback.temporal.gateway import CaseLine, Gateway

app = typer.Typer(no_args_is_help=True, help="List cases, look into one, decide a held one.")

Id = Annotated[str, typer.Argument(help="The id of the case: case/<rule>/<hash>.")]
_SHOWN = 20
Reason = Annotated[str, typer.Option("--reason", help="Why; recorded in the case and in the audit.")]


@app.command("list")
def list_cases(
    *,
    state: Annotated[State | None, typer.Option(help="Only cases in this state.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only cases of this rule.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 50,
    as_json: AsJson = False,
) -> int:
    """List cases, open and closed, newest first."""

    async def lines(gateway: Gateway) -> list[CaseLine]:
        return [line async for line in gateway.list_cases(state=state, rule=rule, limit=limit)]

    found = ask(lines)
    if as_json:
        print_json([line.model_dump(mode="json") for line in found])
    else:
        rows = [
            {"case": line.id, "state": line.state, "mode": line.mode, "opened": f"{line.opened_at:%Y-%m-%d %H:%M:%S}"} for line in found
        ]
        print_table(("case", "state", "mode", "opened"), rows, "There are no such cases.")
    return ExitCode.OK


@app.command()
def show(case_id: Id, *, as_json: AsJson = False) -> int:
    """Show one case: what it waits for, what it is about, what became of each message."""
    case, proposal = ask(lambda gateway: _look(gateway, case_id))
    if as_json:
        print_json(case.model_dump(mode="json") | {"proposal": proposal and proposal.model_dump(mode="json")})
    else:
        _print_case(case)
        if proposal is not None:
            print_proposal(proposal)
    return ExitCode.OK


@app.command()
def approve(
    case_id: Id,
    *,
    by: By = myself(),  # noqa: B008 - the user does not change
    digest: Annotated[str, typer.Option(help="What you agree to: the digest that was shown. Without it you are asked.")] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Let a held case do exactly what you were shown; if it has changed since, it refuses and says how."""
    shown = digest or _shown(ask(lambda gateway: gateway.proposal(case_id)))
    return _decided(case_id, ask(lambda gateway: gateway.approve(case_id, by, shown, reason)), as_json=as_json)


@app.command()
def deny(case_id: Id, *, by: By = myself(), reason: Reason = "", as_json: AsJson = False) -> int:  # noqa: B008 - the user does not change
    """End a held case without acting."""
    return _decided(case_id, ask(lambda gateway: gateway.deny(case_id, by, reason)), as_json=as_json)


async def _look(gateway: Gateway, case_id: str) -> tuple[CaseStart, Proposal | None]:
    case = await gateway.case(case_id)
    is_held = case.memory is not None and case.memory.state is State.HELD
    return case, await gateway.proposal(case_id) if is_held else None


def _shown(proposal: Proposal) -> str:
    """Show what would be done and ask; without a terminal nobody has seen anything, so nothing is approved."""
    if not sys.stdin.isatty():
        raise Failure("say what you approve: --digest DIGEST, as `clawback case show` gives it", ExitCode.USAGE)
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
    say(f"{proposal.needs} {'people' if proposal.needs > 1 else 'person'} must agree. Digest {proposal.digest}")


def _decided(case_id: str, state: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"case": case_id, "state": state})
    else:
        more = ": another person must agree too" if state == State.HELD else ""
        say(f"{case_id} is {state}{more}.")
    return ExitCode.OK


def _print_case(case: CaseStart) -> None:
    plan, memory = case.plan, case.memory
    say(f"{plan.case_id}: {plan.title or plan.rule} ({plan.mode}, {plan.level})")
    if memory is None:
        return
    say(f"{memory.state}, {len(memory.events)} events, {len(memory.targets)} messages, opened {memory.opened_at:%Y-%m-%d %H:%M:%S} UTC")
    if memory.state is State.HELD and memory.hold:
        say(f"held: {memory.hold}")
    for one in memory.approvals:
        say(f"agreed to by {one.by} at {one.at:%Y-%m-%d %H:%M:%S} UTC {one.reason}".rstrip())
    if memory.decision:
        verb = "approved" if memory.decision.approved else "denied"
        say(f"{verb} by {memory.decision.by} at {memory.decision.at:%Y-%m-%d %H:%M:%S} UTC {memory.decision.reason}".rstrip())
    rows = [
        {"action": action.name, "on": target, "outcome": outcome}
        for action, outcomes in zip(plan.actions, memory.outcomes, strict=False)
        for target, outcome in outcomes.items()
    ]
    print_table(("action", "on", "outcome"), rows, "Nothing was done yet.")
