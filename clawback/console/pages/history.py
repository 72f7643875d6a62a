"""`/history`: what happened to cases, who decided it, and what can be undone."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from temporalio.service import RPCError

from clawback.cases.touches import TouchedKind, touch_hash
from clawback.console.access.who import Visitor
from clawback.console.errors import BadRequest
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.forms import read_form
from clawback.console.requests.history_query import (
    PARAMETERS,
    HistoryQuery,
    list_history,
    people_of,
)
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.requests.undo_selection import UndoSelection
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.read_model import LIST_TOPIC, ListedCase
from clawback.console.sources.touched_cases import find_touched, hash_of
from clawback.console.views.history import build_history
from clawback.console.views.inbox import Choice
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import describe_duration, format_absolute
from clawback.console.views.undo_list import UndoEntry, build_entry
from clawback.identity.permission import role_to_undo
from clawback.model.identity import Role

_MOST_UNDOS: Final = 10
_ME: Final = "me"
_KINDS: Final = {
    "sender": TouchedKind.SENDER,
    "mailbox": TouchedKind.MAILBOX,
    "message": TouchedKind.MESSAGE,
}


async def show_history(request: Request) -> Response:
    """Show what happened, the newest first."""
    services, visitor = services_of(request), visitor_of(request)
    now, zone = services.now(), Preferences.of(request).zone
    wanted = HistoryQuery.of(read_query(request, PARAMETERS), now, zone)
    cases = list(services.read_model.cases)
    fitting: Sequence[ListedCase] = cases
    if wanted.hashes:
        touched = await find_touched(services.client, services.cases.index_keys, wanted.hashes)
        fitting = [case for case in cases if case.id in touched]

    people = _people(services, cases)
    page = list_history(wanted, fitting, _name_of(wanted.by, people, visitor))
    view = build_history(
        wanted,
        page,
        rules={case.rule for case in cases},
        people=_choices(people, wanted.by),
        undos=await _read_undos(request),
        now=now,
        zone=zone,
        empty=_explain_empty(services),
        may_undo=visitor.may(Role.ANALYST),
        undo_all_path=_undo_all_path(wanted, visitor),
    )
    model = services.read_model
    return render_page(
        request,
        "history",
        view,
        title=f"History: {page.total:,} cases",
        topic=LIST_TOPIC,
        as_of=format_absolute(model.read_at or now, zone),
        notices=(model.problem,) if model.problem else (),
        command="clawback case list",
    )


async def search_history(request: Request) -> Response:
    """Turn what people type into the URL of a history. No address gets into it."""
    form, services = await read_form(request), services_of(request)
    filters = {name: form.one(name) for name in PARAMETERS if form.one(name)}
    keys = services.cases.index_keys
    for name, kind in _KINDS.items():
        if (typed := form.one(f"{name}_text")) != "":
            filters[name] = hash_of(keys, typed, kind)
    now, zone = services.now(), Preferences.of(request).zone
    return RedirectResponse(HistoryQuery.of(filters, now, zone).url(), HTTPStatus.SEE_OTHER)


def _people(services: Services, cases: Sequence[ListedCase]) -> dict[str, str]:
    """Return who has decided something: names by the hash that stands for them in a URL."""
    key = services.cases.index_keys[0]
    people = sorted({name for case in cases for name in people_of(case)})
    return {touch_hash(key, TouchedKind.MESSAGE, name): name for name in people}


def _choices(people: dict[str, str], chosen: str) -> list[Choice]:
    every = [Choice(hash_, show_mail_text(name), hash_ == chosen) for hash_, name in people.items()]
    return [Choice(_ME, "me", chosen == _ME), *every]


def _name_of(by: str, people: dict[str, str], visitor: Visitor) -> str | None:
    if not by:
        return None
    if by == _ME:
        return visitor.identity.label
    if by not in people:
        raise BadRequest("by: nobody of that key has decided a case; choose a name from the list")
    return people[by]


def _undo_all_path(wanted: HistoryQuery, visitor: Visitor) -> str:
    """Return the dry run for everything that the filters name; empty if there is none."""
    selection = UndoSelection(
        rule=wanted.rule,
        sender=wanted.sender,
        mailbox=wanted.mailbox,
        message=wanted.message,
        since=wanted.since,
        until=wanted.until,
    )
    role = role_to_undo(is_wide=selection.is_wide)
    if selection == UndoSelection() or not visitor.may(role):
        return ""
    return f"/undo?{urlencode(selection.fields)}"


async def _read_undos(request: Request) -> list[UndoEntry]:
    """Read undos that run or have ended lately; the list of cases does without them."""
    services, zone = services_of(request), Preferences.of(request).zone
    try:
        undos = await services.undos.list_recent(_MOST_UNDOS)
    except RPCError:
        return []
    return [build_entry(one, services.now(), zone) for one in undos]


def _explain_empty(services: Services) -> str:
    model = services.read_model
    if model.read_at is None:
        return "Cases have not been read yet. This page shows nothing until they have."
    age = describe_duration(model.age) if model.age else "0 s"
    if model.problem:
        return f"Nothing is known now: {model.problem}. The last answer is {age} old."
    return f"Nothing has happened that fits these filters. Cases were read {age} ago."


HISTORY_PAGES: Final = (
    Page("/history", show_history, Role.VIEWER),
    Page("/history/search", search_history, Role.VIEWER, RateClass.SEARCH, methods=("POST",)),
)
