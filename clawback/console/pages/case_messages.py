"""`…/messages`: every message of a case, 50 a page, and those of one mailbox."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.case_files.message_pages import MessagePage
from clawback.cases.touches import TouchedKind, touch_hash
from clawback.console.access.view_log import ViewedObject
from clawback.console.errors import Unavailable
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass, ViewAudit
from clawback.console.pages.case_page import (
    OpenedCase,
    find_change,
    open_case,
    present_form,
    row_context,
)
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of
from clawback.console.sources.message_pages import read_page
from clawback.console.sources.touched_cases import hash_of
from clawback.console.views.case_view import count_messages
from clawback.console.views.message_rows import MessageRow, PresentForm, build_rows
from clawback.console.views.times import Clock
from clawback.model.identity import Role
from clawback.model.messages import Target
from clawback.model.texts import plural
from clawback.temporal import names


@dataclass(frozen=True)
class MessagesView:
    """One page of the messages of a case."""

    short_id: str
    case_path: str
    filter_path: str
    counts: str
    messages: tuple[MessageRow, ...]
    present: PresentForm
    next_path: str
    clear_path: str
    empty: str


async def list_messages(request: Request) -> Response:
    """List messages; `mailbox` is a hash, `seen` a digest: then only those that are new since."""
    return _render(request, await _open(request))


async def read_present(request: Request) -> Response:
    """Read from Cloudflare what the messages of a page are now, and show the page with that."""
    listed = await _open(request)
    services = listed.opened.services
    try:
        targets = [target for target, _ in listed.page.found]
        requests = await services.present.read(targets, services.now())
    except Unavailable as error:
        return _render(request, listed, problem=str(error))
    count = plural(requests, "request") if requests else "no request: read a moment ago"
    known = services.present.known([target.id for target in targets], services.now())
    missing = len(targets) - len(known)
    lost = f" {plural(missing, 'message')} not found." if missing else ""
    return _render(request, listed, said=f"Read from Cloudflare with {count}.{lost}")


@dataclass(frozen=True)
class _Listed:
    """One page of the messages of a case, as the query asks for it."""

    opened: OpenedCase
    query: Mapping[str, str]
    new: frozenset[str]
    page: MessagePage


async def _open(request: Request) -> _Listed:
    query = read_query(request, frozenset({"run", "after", "mailbox", "seen"}))
    opened = await open_case(request, query.get("run", ""))
    request.state.viewed = ViewedObject(opened.campaign.id)
    seen, hashes = query.get("seen", ""), frozenset(query.get("mailbox", "").split(".")) - {""}
    change = await find_change(opened, seen)
    new = frozenset(change.added_ids if change else ())
    keys = opened.services.cases.index_keys

    def fits(target: Target) -> bool:
        is_there = not hashes or any(
            touch_hash(key, TouchedKind.MAILBOX, target.mailbox or "") in hashes for key in keys
        )
        return is_there and (not seen or target.id in new)

    page = await read_page(opened.services.open_cases, opened.file, query.get("after", ""), fits)
    return _Listed(opened, query, new, page)


def _render(request: Request, listed: _Listed, said: str = "", problem: str = "") -> Response:
    opened, page, query = listed.opened, listed.page, listed.query
    services = opened.services
    clock = Clock(services.now(), Preferences.of(request).zone)
    ids = [target.id for target, _ in page.found]
    context = replace(
        row_context(opened, clock, listed.new), present=services.present.known(ids, clock.now)
    )
    rows = tuple(
        row
        for target, memory in page.found
        for row in build_rows([target], replace(context, memory=memory))
    )
    path, own = f"{opened.campaign.path}/messages", f"?{urlencode(query)}" if query else ""
    is_filtered = bool(query.keys() & {"mailbox", "seen"})
    view = MessagesView(
        short_id=names.short_id(opened.campaign.id),
        case_path=opened.campaign.page,
        filter_path=f"{path}{opened.campaign.query}",
        counts=count_messages(opened.file),
        messages=rows,
        present=present_form(opened, own, said, problem),
        next_path=f"{path}?{urlencode({**query, 'after': page.after})}" if page.after else "",
        clear_path=f"{path}{opened.campaign.query}" if is_filtered else "",
        empty=""
        if rows
        else "No message here. The next page may have some." * bool(page.after)
        or "No message fits.",
    )
    return render_page(request, "messages", view, title=f"Messages of case {view.short_id}")


async def filter_messages(request: Request) -> Response:
    """Turn a mailbox that people type into a list. No address gets into a URL."""
    form = await read_form(request)
    query = dict(read_query(request, frozenset({"run"})))
    keys = services_of(request).cases.index_keys
    if typed := form.one("mailbox_text"):
        query["mailbox"] = hash_of(keys, typed, TouchedKind.MAILBOX)
    rule, digest = request.path_params["rule"], request.path_params["hash"]
    path = f"/cases/{quote(rule, safe='')}/{quote(digest, safe='')}/messages"
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, HTTPStatus.SEE_OTHER)


MESSAGE_LIST_PAGES: Final = (
    Page("/cases/{rule}/{hash}/messages", list_messages, Role.VIEWER, audit=ViewAudit.VIEWED),
    Page(
        "/cases/{rule}/{hash}/present",
        read_present,
        Role.ANALYST,
        RateClass.PICTURE,
        audit=ViewAudit.VIEWED,
        methods=("POST",),
    ),
    Page(
        "/cases/{rule}/{hash}/messages",
        filter_messages,
        Role.VIEWER,
        RateClass.SEARCH,
        methods=("POST",),
    ),
)
