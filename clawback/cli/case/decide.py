"""`clawback case approve` and `clawback case deny`: decide a held case."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import typer

from clawback.cases import CaseState, Proposal
from clawback.cases.campaign import merge_proposals
from clawback.cases.hold_cause import HoldCause
from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.case.decide_many import decide_many
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
    str, typer.Option("--rule", help="Instead of one case: all held cases of this rule.")
]
Cause = Annotated[
    HoldCause | None,
    typer.Option("--cause", help="With --rule: only cases that are held for this."),
]
OneCase = Annotated[
    str,
    typer.Argument(
        metavar="CASE_ID",
        help="Case: case/<rule>/<hash>, or a prefix of the hash.",
        show_default=False,
    ),
]


def approve(  # noqa: PLR0913 - the options of a command
    case_id: OneCase = "",
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

    With --rule, all cases of a rule that are held are approved together, under one digest over all
    that was shown, with every held part of a large campaign. If there are more by then, you are
    asked again.
    """
    actor = require_actor(Verb.APPROVE, by)
    if _is_together(case_id, rule, cause):
        return decide_many(
            rule,
            cause,
            digest,
            lambda cases, shown: cases.decide_shown(Verb.APPROVE, actor, reason, shown),
            as_json=as_json,
        )
    case = call_temporal(lambda client: find_id(client, case_id))
    approved = digest or _confirm(call_temporal(lambda client: CaseGateway(client).proposals(case)))
    return _decide(
        case, lambda cases: cases.approve(case, actor, approved, reason), as_json=as_json
    )


def deny(  # noqa: PLR0913 - the options of a command
    case_id: OneCase = "",
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

    With --rule, all cases of a rule that are held are denied together, as `approve` approves them.
    """
    actor = require_actor(Verb.DENY, by)
    if _is_together(case_id, rule, cause):
        return decide_many(
            rule,
            cause,
            digest,
            lambda cases, shown: cases.decide_shown(Verb.DENY, actor, reason, shown),
            as_json=as_json,
        )
    case = call_temporal(lambda client: find_id(client, case_id))
    return _decide(case, lambda cases: cases.deny(case, actor, reason, digest), as_json=as_json)


def _is_together(case_id: str, rule: str, cause: HoldCause | None) -> bool:
    """Whether all cases of a rule are decided, and not one.

    Raises:
        Failure: both are asked for, or neither.

    """
    if bool(case_id) == bool(rule) or (cause is not None and not rule):
        raise Failure("name a case, or a rule with --rule and perhaps --cause", ExitCode.USAGE)
    return bool(rule)


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
