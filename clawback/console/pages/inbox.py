"""`GET /`: what waits for people. `POST /search`: from what people type to a list of cases."""

import re
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.cases.touches import TouchedKind
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.case_query import PARAMETERS, CaseQuery, StateChoice, list_page
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.read_model import LIST_TOPIC
from clawback.console.sources.touched_cases import find_touched, hash_of
from clawback.console.views.inbox import build_inbox
from clawback.console.views.times import describe_duration, format_absolute
from clawback.model.identity import Role

_SHORT_ID: Final = re.compile(r"[0-9a-f]{6,16}")
_IDENTIFIER: Final = re.compile(r"<?[^\s<>]+@[^\s<>]+>?|[0-9A-Za-z]{8,}-[0-9T:.Z-]+-\d+")
"""An address, a Message-ID or an investigate id: what cases are found by exactly."""
_KINDS: Final = {
    "sender": TouchedKind.SENDER,
    "mailbox": TouchedKind.MAILBOX,
    "message": TouchedKind.MESSAGE,
}


async def show_inbox(request: Request) -> Response:
    """Show held cases, or those that the query asks for."""
    services, visitor = services_of(request), visitor_of(request)
    wanted = CaseQuery.of(read_query(request, PARAMETERS))
    model = services.read_model
    fitting = list(model.cases)
    if wanted.hashes:
        keys = services.cases.index_keys
        touched = await find_touched(services.client, keys, wanted.hashes)
        fitting = [case for case in fitting if case.id in touched]

    now, zone = services.now(), Preferences.of(request).zone
    page = list_page(wanted, fitting, visitor.identity.id, now)
    view = build_inbox(
        wanted,
        page,
        model.totals,
        {case.id: model.messages_of(case) for case in page.cases},
        now=now,
        zone=zone,
        empty=_explain_empty(services, wanted),
        version=services.changes.version(LIST_TOPIC),
        may_decide=visitor.may(Role.ANALYST),
    )
    return render_page(
        request,
        "inbox",
        view,
        title=f"Inbox: {page.total:,} {wanted.state}",
        topic=LIST_TOPIC,
        as_of=format_absolute(model.read_at or now, zone),
        notices=(model.problem,) if model.problem else (),
        command=f"clawback case list --state {wanted.state}",
    )


async def search(request: Request) -> Response:
    """Turn what people type into a list of cases. No address gets into a URL."""
    form = await read_form(request)
    services = services_of(request)
    filters = {name: form.one(name) for name in PARAMETERS if form.one(name)}
    text = filters.pop("q", "")
    # The search box of every page has nothing but the text, and searches all cases.
    if not filters:
        filters["state"] = StateChoice.ALL
    if _SHORT_ID.fullmatch(text) and services.read_model.find_by_hash(text):
        return RedirectResponse(f"/c/{text}", HTTPStatus.SEE_OTHER)

    keys = services.cases.index_keys
    for name in ("sender", "mailbox", "message"):
        if (typed := form.one(f"{name}_text")) != "":
            filters[name] = hash_of(keys, typed, _KINDS[name])
    if _IDENTIFIER.fullmatch(text):
        filters["touching"] = hash_of(keys, text, *TouchedKind)
    elif text:
        filters["q"] = text
    return RedirectResponse(CaseQuery.of(filters).url(), HTTPStatus.SEE_OTHER)


def _explain_empty(services: Services, wanted: CaseQuery) -> str:
    """Say why a list is empty: it must never look like health where nothing is known."""
    model = services.read_model
    if model.read_at is None:
        return "Cases have not been read yet. This page shows nothing until they have."
    age = describe_duration(model.age) if model.age else "0 s"
    if model.problem:
        return f"Nothing is known now: {model.problem}. The last answer is {age} old."
    if wanted.state is StateChoice.HELD and wanted.url() == CaseQuery().url():
        return f"No held cases. Cases were read {age} ago; Operations says whether polling works."
    return f"No case fits these filters. Cases were read {age} ago."


INBOX_PAGES: Final = (
    Page("/", show_inbox, Role.VIEWER),
    Page("/search", search, Role.VIEWER, RateClass.SEARCH, methods=("POST",)),
)
