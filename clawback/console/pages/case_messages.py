"""`…/messages`: every message of a case, 50 a page, and those of one mailbox."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.cases.touches import TouchedKind, touch_hash
from clawback.console.access.view_log import ViewedObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass, ViewAudit
from clawback.console.pages.case_page import find_change, open_case, row_context
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of
from clawback.console.sources.message_pages import read_page
from clawback.console.sources.touched_cases import hash_of
from clawback.console.views.case_view import count_messages
from clawback.console.views.message_rows import MessageRow, build_rows
from clawback.console.views.times import Clock
from clawback.model.identity import Role
from clawback.model.messages import Target
from clawback.temporal import names


@dataclass(frozen=True)
class MessagesView:
    """One page of the messages of a case."""

    short_id: str
    case_path: str
    filter_path: str
    counts: str
    messages: tuple[MessageRow, ...]
    next_path: str
    clear_path: str
    empty: str


async def list_messages(request: Request) -> Response:
    """List messages; `mailbox` is a hash, `seen` a digest: then only those that are new since."""
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
    clock = Clock(opened.services.now(), Preferences.of(request).zone)
    rows = tuple(
        row
        for target, memory in page.found
        for row in build_rows([target], replace(row_context(opened, clock, new), memory=memory))
    )
    path = f"{opened.campaign.path}/messages"
    next_query = urlencode({**query, "after": page.after})
    view = MessagesView(
        short_id=names.short_id(opened.campaign.id),
        case_path=opened.campaign.page,
        filter_path=f"{path}{opened.campaign.query}",
        counts=count_messages(opened.file),
        messages=rows,
        next_path=f"{path}?{next_query}" if page.after else "",
        clear_path=f"{path}{opened.campaign.query}" if hashes or seen else "",
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
        "/cases/{rule}/{hash}/messages",
        filter_messages,
        Role.VIEWER,
        RateClass.SEARCH,
        methods=("POST",),
    ),
)
