"""Undoing cases: the dry run, the undo, and how far it is."""

import asyncio
from datetime import timedelta
from http import HTTPStatus

from clawback.case_files.undo_preview import Judgement
from clawback.cases.undo_plan import UndoScope
from clawback.console.api.answers import UndoPlanAnswer, UndoState
from clawback.console.api.case_answers import describe_undo
from clawback.console.api.case_operations import find_case
from clawback.console.api.operations import Call, Reply
from clawback.console.api.parameters import UndoOrder
from clawback.console.api.problems import Changed, NotFound, PersonNeeded
from clawback.console.api.versions import require_version
from clawback.model.identity import IdentitySource
from clawback.temporal import names
from clawback.temporal.undo_gateway import (
    FoundUndo,
    NothingKnown,
    UndoGateway,
    UndoProgress,
    first_page_id,
)
from clawback.temporal.workflow_calls import NoSuchWorkflow

_PATIENCE = timedelta(seconds=10)
"""How long a request waits for the end of an undo, which goes on after that."""
_LOOK_EVERY = 0.2


async def undo_case(call: Call) -> Reply:
    """Undo all that a case did, or say what that would come to."""
    asked: UndoOrder = call.body
    case_id = await find_case(call.services, call.path["id"])
    if call.nonce and (started := await _find_started(call, call.nonce)):
        return await _await_end(call.services.undo, started)
    await require_version(call, case_id)
    scope = UndoScope(actor=call.actor, reason=asked.reason)
    try:
        found = await call.services.undo.find(scope, case=case_id)
    except NothingKnown:
        raise NotFound("there is no such case") from None
    found = await call.services.undo.read_rest(found, scope)

    judge = await call.services.open_judge()
    plan = _describe_plan(found, await judge.judge(found, call.actor))
    if asked.dry_run:
        return Reply(UndoState(dry_run=True, state="planned", plan=plan))
    _require_possible(call, asked, plan, found)
    cases = (one.case for one in found.candidates)
    ids = await call.services.undo.start(scope, cases, key=call.nonce)
    return await _await_end(call.services.undo, ids)


async def show_undo(call: Call) -> Reply:
    """Say how far an undo is."""
    prefix = f"{names.UNDO}/{call.path['undo']}/"
    listed = call.services.client.list_workflows(
        f"WorkflowType = '{names.UNDO}' AND WorkflowId STARTS_WITH {names.quote_value(prefix)}"
    )
    # The first page is there before the index knows it.
    ids = sorted({f"{prefix}1", *[one.id async for one in listed]})
    return Reply(await _read_state(call.services.undo, tuple(ids)))


async def _find_started(call: Call, key: str) -> tuple[str, ...]:
    """Find the undo that an earlier request under the same key has started."""
    ids = (first_page_id(call.actor, key),)
    return ids if (await call.services.undo.progress(ids)).given else ()


def _require_possible(call: Call, asked: UndoOrder, plan: UndoPlanAnswer, found: FoundUndo) -> None:
    """Refuse an undo of nothing, of something else than was shown, or by a token for two people."""
    if asked.digest is not None and asked.digest != plan.digest:
        more = {"plan": plan.model_dump(mode="json")}
        raise Changed("The plan has changed since it was shown.", more)
    if not found.candidates:
        why = "; ".join(one.why for one in found.unreadable)
        raise Changed(why or "There is nothing to undo.", {"plan": plan.model_dump(mode="json")})
    if plan.second_person and call.actor.identity.source is IdentitySource.TOKEN:
        reasons = "; ".join(plan.second_person)
        raise PersonNeeded(
            f"This undo needs two people ({reasons}), and {call.actor.identity.label} is none: "
            "people start it in the console or with `clawback undo case`."
        )


async def _await_end(undo: UndoGateway, ids: tuple[str, ...]) -> Reply:
    """Wait for the end for some seconds; 202 while it goes on, or waits for a second person."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE.total_seconds()
    while (  # noqa: ASYNC110 - the state is outside this process
        state := await _read_state(undo, ids)
    ).state == "running" and loop.time() < deadline:
        await asyncio.sleep(_LOOK_EVERY)
    is_done = state.state == "done"
    return Reply(state, HTTPStatus.OK if is_done else HTTPStatus.ACCEPTED)


async def _read_state(undo: UndoGateway, ids: tuple[str, ...]) -> UndoState:
    pages = await undo.progress(ids)
    if not pages.given:
        if all(isinstance(error, NoSuchWorkflow) for error in pages.errors.values()):
            raise NotFound("there is no such undo")
        pages.require_any()
    progress = UndoProgress.total_of(pages.given.values())
    return UndoState(
        id=ids[0].split("/")[1],
        state=await _name_state(undo, ids, progress),
        counts=describe_undo(progress.undone),
        held_for=list(progress.hold.assessment.reasons) if progress.hold else [],
    )


async def _name_state(undo: UndoGateway, ids: tuple[str, ...], progress: UndoProgress) -> str:
    if progress.hold is not None:
        return "held"
    described = await asyncio.gather(
        *(undo.client.get_workflow_handle(id_).describe() for id_ in ids)
    )
    return "running" if any(one.close_time is None for one in described) else "done"


def _describe_plan(found: FoundUndo, judged: Judgement) -> UndoPlanAnswer:
    assessment = judged.assessment
    irreversible = [text for one in found.candidates for text in one.plan.irreversible]
    return UndoPlanAnswer(
        digest=assessment.digest,
        changes=assessment.changes,
        messages=assessment.messages,
        verdicts=assessment.verdicts,
        malicious=list(assessment.malicious),
        irreversible=list(dict.fromkeys(irreversible)),
        second_person=list(assessment.reasons),
        notes=list(judged.notes),
    )
