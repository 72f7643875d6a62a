"""`/stop`: the kill switch, with its confirmation. `POST /resume`: end it."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.console.access.gate import require_fresh
from clawback.console.errors import BadRequest, Conflict
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.containment_state import STOP_TOPIC
from clawback.console.views.stop import SwitchState, build_stop, find_state
from clawback.model.identity import Role
from clawback.model.texts import bounded
from clawback.temporal import names
from clawback.temporal.workflow_calls import UpdateRefused

_PATIENCE: Final = 2.0
_LONGEST_REASON: Final = 500


async def show_stop(request: Request) -> Response:
    """Show the kill switch, what it would stop, and what resuming would set off."""
    query = read_query(request, frozenset({"asked"}))
    services, visitor = services_of(request), visitor_of(request)
    is_asked = "asked" in query or services.stops.is_pending
    now, containment = services.now(), services.containment
    state = find_state(containment.is_stopped, containment.stop, now, is_asked=is_asked)
    view = build_stop(
        state,
        containment.stop,
        services.read_model.cases,
        undos=await _count_undos(services.client),
        zone=Preferences.of(request).zone,
        refresh_path="/stop?asked=1" if is_asked else "/stop",
        may_resume=visitor.may(Role.OPERATOR),
        needs_sign_in=not visitor.is_fresh(services.now()),
    )
    is_on = state in {SwitchState.STOPPED, SwitchState.STOPPING}
    title = "Containment is stopped" if is_on else "Stop all containment"
    command = "clawback resume" if is_on else "clawback stop"
    return render_page(
        request, "stop", view, title=title, topic=STOP_TOPIC, command=f'{command} --reason "…"'
    )


async def stop(request: Request) -> Response:
    """Order to stop, and wait until no worker can act. The page says what has been confirmed."""
    services, visitor = services_of(request), visitor_of(request)
    reason = await _read_reason(request, "stop")
    confirmed = await services.stops.stop(visitor.actor, reason)
    if confirmed is None:
        return RedirectResponse("/stop?asked=1", HTTPStatus.SEE_OTHER)

    await _read_again(services)
    return RedirectResponse("/stop", HTTPStatus.SEE_OTHER)


async def resume(request: Request) -> Response:
    """Resume containment: only operators, who signed in a moment ago."""
    services, visitor = services_of(request), visitor_of(request)
    reason = await _read_reason(request, "resume")
    require_fresh(visitor, services.now())

    services.stops.withdraw()
    try:
        await services.guard.resume(visitor.actor, reason)
    except UpdateRefused as error:
        raise Conflict(f"Containment was not resumed: {error}.") from error
    await _read_again(services)
    return RedirectResponse("/stop", HTTPStatus.SEE_OTHER)


async def _read_reason(request: Request, what: str) -> str:
    reason = bounded((await read_form(request)).one("reason"), _LONGEST_REASON)
    if not reason:
        raise BadRequest(f"reason: say why you {what} containment; it is recorded in the audit")
    return reason


async def _read_again(services: Services) -> None:
    """Let the next page show what was just confirmed; a slow server must not delay it."""
    with suppress(TimeoutError):
        await asyncio.wait_for(services.containment.refresh(), _PATIENCE)


async def _count_undos(client: Client) -> int | None:
    query = f"WorkflowType = '{names.UNDO}' AND ExecutionStatus = 'Running'"
    with suppress(RPCError, TimeoutError):
        return (await asyncio.wait_for(client.count_workflows(query), _PATIENCE)).count
    return None


STOP_PAGES: Final = (
    Page("/stop", show_stop, Role.ANALYST),
    Page("/stop", stop, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
    Page("/resume", resume, Role.OPERATOR, RateClass.DECISION, methods=("POST",)),
)
