"""`clawback case approve` and `clawback case deny`: decide a held case."""

import sys
from typing import Annotated

import typer

from clawback.cases import CaseState, Proposal
from clawback.cli.arguments import By, Reason
from clawback.cli.case.lookup import CaseId, find_id
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.temporal.case_gateway import CaseGateway

_SHOWN = 20


def approve(
    case_id: CaseId,
    *,
    by: By,
    digest: Annotated[
        str,
        typer.Option(help="Digest of the proposal that you approve; default shows it and asks."),
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Approve a held case: it then does exactly what the proposal says.

    Refused, with the difference, if the proposal has changed since you saw it.
    """
    case = call_temporal(lambda client: find_id(client, case_id))
    approved = digest or _confirm(call_temporal(lambda client: CaseGateway(client).proposal(case)))
    state = call_temporal(lambda client: CaseGateway(client).approve(case, by, approved, reason))
    return _print_decision(case, state, as_json=as_json)


def deny(case_id: CaseId, *, by: By, reason: Reason = "", as_json: AsJson = False) -> int:
    """Deny a held case: it ends without acting."""
    case = call_temporal(lambda client: find_id(client, case_id))
    state = call_temporal(lambda client: CaseGateway(client).deny(case, by, reason))
    return _print_decision(case, state, as_json=as_json)


def _confirm(proposal: Proposal) -> str:
    """Show a proposal and ask; return its digest.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.

    """
    if not sys.stdin.isatty():
        raise Failure(
            "no terminal to ask on: give --digest DIGEST, which `clawback case show` prints",
            ExitCode.USAGE,
        )

    _print_proposal(proposal)
    if not typer.confirm("Approve?"):
        raise Failure("nothing was approved", ExitCode.NO)

    return proposal.digest


def _print_proposal(proposal: Proposal) -> None:
    count = len(proposal.messages)
    print_text(f"It would {'; '.join(proposal.actions)}, for {count} messages:")
    for message in proposal.messages[:_SHOWN]:
        print_text(f"  {message}")

    if count > _SHOWN:
        print_text(f"  and {count - _SHOWN} more")

    approvals = "1 approval" if proposal.needs == 1 else f"{proposal.needs} approvals"
    print_text(f"It needs {approvals}. Digest {proposal.digest}")


def _print_decision(case_id: str, state: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"case": case_id, "state": state})
    else:
        more = ": another person must approve too" if state == CaseState.HELD else ""
        print_text(f"{case_id} is {state}{more}.")
    return ExitCode.OK
