"""`…/messages/<id>`: one message, read from Cloudflare; its screenshot only when somebody asks."""

import hashlib
import hmac
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.access.view_log import ViewedObject
from clawback.console.errors import ConsoleError, NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass, ViewAudit
from clawback.console.pages.case_page import (
    OpenedCase,
    dashboard_path,
    open_case,
    row_context,
)
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.sources.message_pages import find_message
from clawback.console.views.message_rows import MessageRow, build_rows
from clawback.console.views.message_view import MessageFrame, build_message
from clawback.console.views.times import Clock
from clawback.model.identity import Role
from clawback.temporal import names

_LONGEST_ID: Final = 200
_PICTURE_POLICY: Final = "default-src 'none'; sandbox"
_TICKET_SECONDS: Final = 60


async def show_message(request: Request) -> Response:
    """Show one message of a case: headers, links as text, attachments, trace, action log."""
    opened, row, clock = await _open(request, frozenset({"run"}))
    request.state.viewed = ViewedObject(opened.campaign.id, "message", row.id, is_content=True)
    return await _render(request, opened, row, clock)


async def load_screenshot(request: Request) -> Response:
    """Read the screenshot of a message, and show the page with it or why there is none."""
    opened, row, clock = await _open(request, frozenset({"run"}))
    request.state.viewed = ViewedObject(opened.campaign.id, "screenshot", row.id, is_content=True)
    try:
        await opened.services.mail.read_picture(row.id)
    except ConsoleError as error:
        return await _render(request, opened, row, clock, problem=str(error))
    ticket = _sign(opened, row.id, int(opened.services.now().timestamp()) + _TICKET_SECONDS)
    return await _render(request, opened, row, clock, ticket=ticket)


async def show_screenshot(request: Request) -> Response:
    """Return a picture that somebody has asked for, alone in a sandbox.

    Without the ticket of that page there is none: a link alone must not load it.
    """
    opened, row, _ = await _open(request, frozenset({"run", "ticket"}))
    ticket = request.query_params.get("ticket", "")
    until = ticket.partition(".")[0]
    now = opened.services.now().timestamp()
    is_valid = until.isdecimal() and hmac.compare_digest(ticket, _sign(opened, row.id, int(until)))
    if not is_valid or int(until) < now:
        raise NoSuchObject("Load the screenshot again from the page of the message.")

    request.state.viewed = ViewedObject(opened.campaign.id, "screenshot", row.id, is_content=True)
    picture = await opened.services.mail.read_picture(row.id)
    headers = {"Content-Security-Policy": _PICTURE_POLICY, "Cache-Control": "no-store"}
    return Response(picture, media_type="image/png", headers=headers)


async def _render(  # noqa: PLR0913 - what the page shows
    request: Request,
    opened: OpenedCase,
    row: MessageRow,
    clock: Clock,
    *,
    ticket: str = "",
    problem: str = "",
) -> Response:
    parts = await opened.services.mail.read(row.id)
    query = opened.campaign.query
    path = f"{opened.campaign.path}/messages/{quote(row.id, safe='')}/screenshot"
    frame = MessageFrame(
        case_path=opened.campaign.page,
        short_id=names.short_id(opened.campaign.id),
        load_path=f"{path}{query}",
        picture_path=f"{path}{query}{'&' if query else '?'}ticket={ticket}" if ticket else "",
        picture_problem=problem,
        cloudflare=dashboard_path(opened.services.settings),
    )
    return render_page(
        request,
        "message",
        build_message(row, parts, frame, clock),
        title=f"Message: {row.subject}",
        command=f"clawback api investigate get {row.id}",
        returns_to=opened.campaign.page,
    )


def _sign(opened: OpenedCase, id_: str, until: int) -> str:
    """Sign that one person may load one picture until a time; any replica can check it."""
    text = "|".join(("screenshot", opened.visitor.session, id_, str(until)))
    signature = hmac.new(opened.services.cases.index_keys[0], text.encode(), hashlib.sha256)
    return f"{until}.{signature.hexdigest()}"


async def _open(request: Request, known: frozenset[str]) -> tuple[OpenedCase, MessageRow, Clock]:
    query = read_query(request, known)
    opened = await open_case(request, query.get("run", ""))
    id_ = request.path_params["message"]
    found = None
    if len(id_) <= _LONGEST_ID:
        found = await find_message(opened.services.open_cases, opened.file, id_)
    if found is None:
        raise NoSuchObject("This case has no such message.")
    target, memory = found
    clock = Clock(opened.services.now(), Preferences.of(request).zone)
    context = replace(row_context(opened, clock, frozenset()), memory=memory)
    (row,) = build_rows([target], context)
    return opened, row, clock


_PATH: Final = "/cases/{rule}/{hash}/messages/{message}"
MESSAGE_PAGES: Final = (
    Page(_PATH, show_message, Role.ANALYST, audit=ViewAudit.VIEWED),
    Page(
        f"{_PATH}/screenshot",
        load_screenshot,
        Role.ANALYST,
        RateClass.PICTURE,
        audit=ViewAudit.VIEWED,
        methods=("POST",),
    ),
    Page(
        f"{_PATH}/screenshot",
        show_screenshot,
        Role.ANALYST,
        RateClass.PICTURE,
        audit=ViewAudit.VIEWED,
    ),
)
