"""Undo: always its dry run first, then one confirmation that is bound to it, then its progress."""

import re
import secrets
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.cases.undo_judgement import UndoNote
from clawback.console.access.who import Visitor
from clawback.console.errors import BadRequest, NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.case_keys import CaseKey
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.requests.undo_selection import (
    PARAMETERS,
    REPEATABLE,
    UndoPreview,
    UndoSelection,
    preview_undo,
)
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.undo_watch import TOPIC_PREFIX
from clawback.console.views.undo import build_progress, build_undo
from clawback.identity.permission import role_to_undo
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.temporal import names
from clawback.temporal.undo_decisions import UndoDecisions
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused

_NUMBER: Final = re.compile(r"[0-9a-f]{12}")
_MOST_DIGITS: Final = 7


async def preview_case(request: Request) -> Response:
    """Show what an undo of one case would do."""
    query = read_query(request, frozenset({"run", "after"}))
    run = f"/{query['run'][:8]}" if "run" in query else ""
    key = CaseKey.read(f"{request.path_params['rule']}/{request.path_params['hash']}{run}")
    services, visitor = services_of(request), visitor_of(request)
    preview = await preview_undo(services, UndoSelection(keys=(key,)), visitor.actor)
    return _render(request, preview, first=_read_first(query.get("after", "")))


async def preview_selection(request: Request) -> Response:
    """Show what an undo of several cases, a rule or a time would do."""
    query = read_query(request, PARAMETERS, REPEATABLE)
    services, visitor = services_of(request), visitor_of(request)
    selection = UndoSelection.of(
        query,
        request.query_params.getlist("case"),
        services.now(),
        Preferences.of(request).zone,
    )
    _require_role(selection, visitor)
    preview = await preview_undo(services, selection, visitor.actor)
    return _render(request, preview, first=_read_first(query.get("after", "")))


async def start_undo(request: Request) -> Response:
    """Start an undo if it still does exactly what its dry run showed."""
    form = await read_form(request)
    services, visitor = services_of(request), visitor_of(request)
    query = {name: form.one(name) for name in PARAMETERS - {"after"} if form.one(name)}
    selection = UndoSelection.of(
        query, form.every("case"), services.now(), Preferences.of(request).zone
    )
    _require_role(selection, visitor)
    key, reason = form.one("key"), form.one("reason")
    if not key:
        raise BadRequest("key: the form has none; load the page again")

    preview = await preview_undo(services, selection, visitor.actor)
    if (problem := _find_problem(preview, form.one("digest"))) != "":
        return _render(request, preview, problem=problem, reason=reason)

    number = await _start(services, preview, key, reason)
    return RedirectResponse(f"/undo/{number}", HTTPStatus.SEE_OTHER)


def _find_problem(preview: UndoPreview, digest: str) -> str:
    if preview.is_empty:
        return "Nothing was started: there is nothing to undo any more."
    if digest != preview.digest:
        return "Nothing was started: what it would do has changed since it was shown. Look again."
    return ""


async def _start(services: Services, preview: UndoPreview, key: str, reason: str) -> str:
    found, scope = preview.found, preview.scope
    if found.unread:
        found = await services.undo.read_rest(found, scope)
    note = UndoNote(
        by=scope.actor.label,
        what=preview.selection.describe(),
        cases=found.cases,
        changes=sum(one.plan.size for one in found.candidates),
    )
    ids = await services.undo.start(
        scope.model_copy(update={"reason": reason}),
        [one.case for one in found.candidates],
        note=note,
        key=key,
    )
    return ids[0].split("/")[1]


async def show_undo(request: Request) -> Response:
    """Show how far an undo is."""
    read_query(request, frozenset())
    return await _render_progress(request, _number_of(request))


async def approve_undo(request: Request) -> Response:
    """Agree to an undo that somebody else asked for."""
    return await _decide(request, Verb.APPROVE)


async def deny_undo(request: Request) -> Response:
    """End an undo before it begins."""
    return await _decide(request, Verb.DENY)


async def _decide(request: Request, verb: Verb) -> Response:
    number, form = _number_of(request), await read_form(request)
    services, visitor = services_of(request), visitor_of(request)
    decisions, id_ = UndoDecisions(services.client), f"{names.UNDO}/{number}"
    try:
        if verb is Verb.APPROVE:
            digest = form.one("digest")
            await decisions.approve(id_, visitor.actor, digest, form.one("reason"))
        else:
            await decisions.deny(id_, visitor.actor, form.one("reason"))
    except (UpdateRefused, NoSuchWorkflow) as error:
        problem = f"Not decided: {error}"
        return await _render_progress(request, number, problem)
    return RedirectResponse(f"/undo/{number}", HTTPStatus.SEE_OTHER)


def _require_role(selection: UndoSelection, visitor: Visitor) -> None:
    """Require an operator for a whole rule or a time; others may not know of such a page."""
    if not visitor.may(role_to_undo(is_wide=selection.is_wide)):
        raise NoSuchObject("There is no such page.")


def _number_of(request: Request) -> str:
    number = str(request.path_params["number"])
    if _NUMBER.fullmatch(number) is None:
        raise NoSuchObject(f"There is no undo {number[:20]}.")
    return number


def _read_first(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or not text.isascii() or len(text) > _MOST_DIGITS:
        raise BadRequest("after: give the number of the last row of the page before")
    return int(text)


def _render(
    request: Request,
    preview: UndoPreview,
    *,
    first: int = 0,
    problem: str = "",
    reason: str = "",
) -> Response:
    view = build_undo(
        preview, first=first, key=secrets.token_urlsafe(18), reason=reason, problem=problem
    )
    return render_page(
        request,
        "undo",
        view,
        title=view.heading,
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        command=_command(preview.selection),
    )


def _command(selection: UndoSelection) -> str:
    if selection.keys:
        return f"clawback undo case {selection.keys[0].short_id} --dry-run"
    since = f" --since {selection.since:%Y-%m-%dT%H:%MZ}" if selection.since else ""
    if selection.rule:
        return f"clawback undo rule {selection.rule}{since} --dry-run"
    return f"clawback undo{since} --dry-run" if since else "clawback undo message ID --dry-run"


async def _render_progress(request: Request, number: str, problem: str = "") -> Response:
    services, visitor = services_of(request), visitor_of(request)
    try:
        reading = await services.undos.read(number)
    except NoSuchWorkflow:
        raise NoSuchObject(
            f"There is no undo {number}. History lists those that are kept."
        ) from None

    view = build_progress(
        reading,
        now=services.now(),
        zone=Preferences.of(request).zone,
        person=visitor.identity.person,
        may_decide=visitor.may(Role.ANALYST),
        problem=problem,
    )
    return render_page(
        request,
        "undo_progress",
        view,
        title=f"{view.heading}: {view.state}",
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        topic=f"{TOPIC_PREFIX}{number}" if view.is_running else "",
        command=f"clawback undo approve undo/{number}" if view.holds else "clawback undo list",
    )


_OF_CASE: Final = "/cases/{rule}/{hash}/undo"

UNDO_PAGES: Final = (
    Page(_OF_CASE, preview_case, Role.ANALYST, RateClass.SEARCH),
    Page("/undo", preview_selection, Role.ANALYST, RateClass.SEARCH),
    Page("/undo", start_undo, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
    Page("/undo/{number}", show_undo, Role.VIEWER),
    Page(
        "/undo/{number}/approve", approve_undo, Role.ANALYST, RateClass.DECISION, methods=("POST",)
    ),
    Page("/undo/{number}/deny", deny_undo, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
)
