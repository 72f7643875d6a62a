"""Deciding cases, and what people note about them: approve, deny, comment, assign."""

from clawback.cases import Proposal
from clawback.cases.notes import AssignTo
from clawback.console.api.answers import Decided, Noted
from clawback.console.api.case_answers import public_id
from clawback.console.api.case_operations import find_case
from clawback.console.api.operations import Call, Reply
from clawback.console.api.parameters import Approval, Denial, NewAssignment, NewComment
from clawback.console.api.problems import Changed, NotFound, PersonNeeded
from clawback.console.api.versions import require_version
from clawback.model.identity import IdentitySource
from clawback.temporal.case_gateway import PartsUndecided
from clawback.temporal.fan_out import UNANSWERED
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused


async def approve_case(call: Call) -> Reply:
    """Approve what a held case proposed under a digest."""
    asked: Approval = call.body
    case_id = await find_case(call.services, call.path["id"])
    await require_version(call, case_id)
    if call.actor.identity.source is IdentitySource.TOKEN:
        await _require_alone(call, case_id)
    try:
        state = await call.services.cases.approve(
            case_id, call.actor, asked.digest, asked.reason, key=call.nonce
        )
    except (UpdateRefused, PartsUndecided, NoSuchWorkflow) as error:
        raise await _explain(call, case_id, error) from error
    return Reply(Decided(case=public_id(case_id), state=state))


async def deny_case(call: Call) -> Reply:
    """Deny a held case: what it proposed under a digest, or whatever it proposes."""
    asked: Denial = call.body
    case_id = await find_case(call.services, call.path["id"])
    await require_version(call, case_id)
    try:
        state = await call.services.cases.deny(
            case_id, call.actor, asked.reason, asked.digest or "", key=call.nonce
        )
    except (UpdateRefused, PartsUndecided, NoSuchWorkflow) as error:
        raise await _explain(call, case_id, error) from error
    return Reply(Decided(case=public_id(case_id), state=state))


async def comment_case(call: Call) -> Reply:
    """Comment on an open case."""
    asked: NewComment = call.body
    case_id = await find_case(call.services, call.path["id"])
    await require_version(call, case_id)
    try:
        number = await call.services.cases.comment(case_id, call.actor, asked.text, key=call.nonce)
    except (UpdateRefused, NoSuchWorkflow) as error:
        raise _explain_note(error) from error
    return Reply(Noted(case=public_id(case_id), comment=number))


async def assign_case(call: Call) -> Reply:
    """Say who works on an open case."""
    asked: NewAssignment = call.body
    case_id = await find_case(call.services, call.path["id"])
    await require_version(call, case_id)
    is_name = asked.to not in {"me", "nobody"}
    wanted = AssignTo(name=asked.to if is_name else "", is_self=asked.to == "me")
    try:
        name = await call.services.cases.assign(case_id, call.actor, wanted, key=call.nonce)
    except (UpdateRefused, NoSuchWorkflow) as error:
        raise _explain_note(error) from error
    return Reply(Noted(case=public_id(case_id), assignee=name or None))


def _explain_note(error: Exception) -> Exception:
    is_unknown = isinstance(error, NoSuchWorkflow)
    return NotFound("there is no such case") if is_unknown else Changed(str(error))


async def _require_alone(call: Call, case_id: str) -> None:
    """Refuse a token where two people must agree; the case checks it again."""
    proposal = await _read_proposal(call, case_id)
    if proposal is not None and proposal.needs > 1:
        label = call.actor.identity.label
        raise PersonNeeded(
            f"This needs {proposal.needs} people, and {label} is none: people approve it in the "
            "console or with `clawback case approve`."
        )


async def _explain(call: Call, case_id: str, error: Exception) -> Exception:
    """Say why a decision was not taken, with what the case proposes now."""
    if isinstance(error, NoSuchWorkflow):
        return NotFound("there is no such case")
    if isinstance(error, PartsUndecided):
        more = {"state": error.state, "undecided": dict(error.errors)}
        return Changed("Some parts of the campaign did not take the decision; repeat it.", more)
    proposal = await _read_proposal(call, case_id)
    more = {} if proposal is None else {"digest": proposal.digest, "actions": proposal.actions}
    return Changed(str(error), more)


async def _read_proposal(call: Call, case_id: str) -> Proposal | None:
    try:
        return await call.services.cases.proposal(case_id)
    except (*UNANSWERED, LookupError):
        return None
