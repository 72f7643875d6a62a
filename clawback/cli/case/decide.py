"""`clawback case approve` and `clawback case deny`: decide a held case."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import typer

from clawback.cases import CaseState, Proposal
from clawback.cases.campaign import merge_proposals
from clawback.cases.hold_cause import HoldCause
from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.case.decide_many import MOST_NAMED, Chosen, decide_many
from clawback.cli.case.lookup import find_id
from clawback.cli.exits import ExitCode, Failure, require_terminal
from clawback.cli.output import AsJson, print_json, print_status, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.model.texts import plural
from clawback.temporal.case_gateway import CaseGateway, PartsUndecided
from clawback.temporal.fan_out import Answers

_SHOWN = 20


Together = Annotated[
    str, typer.Option("--rule", help="Instead of naming cases: all held cases of this rule.")
]
Cause = Annotated[
    HoldCause | None,
    typer.Option("--cause", help="With --rule: only cases that are held for this."),
]
Cases = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CASE_ID",
        help="Case: its id, <rule>/<hash>, or four or more digits of the hash; repeatable.",
        show_default=False,
    ),
]


def approve(  # noqa: PLR0913 - the options of a command
    case_ids: Cases = None,
    *,
    rule: Together = "",
    cause: Cause = None,
    by: By = "",
    digest: Annotated[
        str,
        typer.Option(help="Digest of the proposal that you approve; default shows it and asks."),
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Approve a held case: it then does exactly what the proposal says.

    Refused, with the difference, if the proposal has changed since you saw it. Exit code 1 also if
    a part of the case did not take the approval.

    Several cases are approved together, under one digest over all that was shown. With --rule,
    these are all cases of a rule that are held, with every held part of a large campaign. If there
    are more by then, or one has changed, nothing is approved and you are asked again.
    """
    actor = require_actor(Verb.APPROVE, by)
    chosen = _choose(case_ids, rule, cause)
    if len(chosen.ids) != 1:
        return decide_many(
            chosen,
            digest,
            lambda cases, shown: cases.decide_shown(Verb.APPROVE, actor, reason, shown),
            as_json=as_json,
        )
    case = call_temporal(lambda client: find_id(client, chosen.ids[0]))
    approved = digest or _confirm(call_temporal(lambda client: CaseGateway(client).proposals(case)))
    return _decide(
        case, lambda cases: cases.approve(case, actor, approved, reason), as_json=as_json
    )


def deny(  # noqa: PLR0913 - the options of a command
    case_ids: Cases = None,
    *,
    rule: Together = "",
    cause: Cause = None,
    by: By = "",
    digest: Annotated[
        str,
        typer.Option(help="Digest of the proposal that you deny; default whatever it proposes."),
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Deny a held case; what it moved aside while held goes back.

    With --digest, refused if the proposal has changed since you saw it. Exit code 1 also if a part
    of the case did not take the denial.

    Several cases, or with --rule all held cases of a rule, are denied together, as `approve`
    approves them.
    """
    actor = require_actor(Verb.DENY, by)
    chosen = _choose(case_ids, rule, cause)
    if len(chosen.ids) != 1:
        return decide_many(
            chosen,
            digest,
            lambda cases, shown: cases.decide_shown(Verb.DENY, actor, reason, shown),
            as_json=as_json,
        )
    case = call_temporal(lambda client: find_id(client, chosen.ids[0]))
    return _decide(case, lambda cases: cases.deny(case, actor, reason, digest), as_json=as_json)


def _choose(case_ids: list[str] | None, rule: str, cause: HoldCause | None) -> Chosen:
    """Return which cases the command line means: those that it names, or all of a rule.

    Raises:
        Failure: both are asked for, or neither, or too many.

    """
    ids = tuple(dict.fromkeys(case_ids or ()))
    if bool(ids) == bool(rule) or (cause is not None and not rule):
        raise Failure("name a case, or a rule with --rule and perhaps --cause", ExitCode.USAGE)
    if len(ids) > MOST_NAMED:
        raise Failure(f"name at most {MOST_NAMED} cases, or a rule with --rule", ExitCode.USAGE)
    return Chosen(ids, rule, cause)


def _decide(case: str, decide: Callable[[CaseGateway], Awaitable[str]], *, as_json: bool) -> int:
    """Decide a case, and print its state and which parts of it did not take the decision."""
    try:
        state = call_temporal(lambda client: decide(CaseGateway(client)))
    except PartsUndecided as error:
        _print_decision(case, error.state, error.errors, as_json=as_json)
        return ExitCode.NO

    _print_decision(case, state, {}, as_json=as_json)
    return ExitCode.OK


def _confirm(proposals: Answers[Proposal]) -> str:
    """Show what the parts of a case propose, and ask; return the digest of it.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.

    """
    require_terminal("give --digest DIGEST, which `clawback case show` prints")

    proposal = merge_proposals(list(proposals.given.values()))
    _print_proposal(proposal)
    _print_unanswered(proposals.unanswered)
    if not typer.confirm("Approve?"):
        raise Failure("nothing was approved", ExitCode.NO)

    return proposal.digest


def _print_proposal(proposal: Proposal) -> None:
    count = len(proposal.messages)
    print_text(f"It would {'; '.join(proposal.actions)}, for {plural(count, 'message')}:")
    for message in proposal.messages[:_SHOWN]:
        print_text(f"  {message}")

    if count > _SHOWN:
        print_text(f"  and {count - _SHOWN} more")

    print_text(f"It needs {plural(proposal.needs, 'approval')}. Digest {proposal.digest}")


def _print_decision(
    case_id: str, state: str, undecided: Mapping[str, str], *, as_json: bool
) -> None:
    if as_json:
        print_json({"case": case_id, "state": state, "undecided": dict(undecided)})
    else:
        more = ": another person must approve too" if state == CaseState.HELD else ""
        print_text(f"{case_id} is {state}{more}.")
        _print_unanswered(undecided)


def _print_unanswered(parts: Mapping[str, str]) -> None:
    for part, why in parts.items():
        print_status(f"{part} did not take part: {why}. Repeat this command once it answers.")
