"""Decisions about one case: approve, deny, comment, assign. Each counts once, under what was shown.

An answer is the page of the case: 409 with the difference first if it is not what was shown.
"""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.cases.notes import LONGEST_COMMENT, AssignTo
from clawback.console.errors import BadRequest, Unavailable
from clawback.console.own_answers import show_assignment, show_decision
from clawback.console.page_routes import Page, RateClass
from clawback.console.pages.case_page import DIGEST, Answer, OpenedCase, open_case, render_case
from clawback.console.requests.forms import Form, read_form
from clawback.console.requests.query import read_query
from clawback.console.views.decision_panel import LONGEST_REASON
from clawback.console.views.mail_text import show_mail_text
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.temporal.case_gateway import PartsUndecided
from clawback.temporal.workflow_calls import NoWorkerAnswered, UpdateRefused

_KEY: Final = re.compile(r"[0-9a-f]{32}")
_UNKNOWN: Final = (
    "No worker has answered yet, so it is not known whether this counted. The page shows the case "
    "as it is now. Sending it again is safe: the same decision counts once."
)


async def approve(request: Request) -> Response:
    """Approve what was shown."""
    form = await read_form(request)
    opened = await _open(request)
    digest, key, reason = _read_digest(form), read_key(form), read_reason(form)
    cases, actor = opened.services.cases, opened.visitor.actor

    async def send() -> None:
        state = await cases.approve(opened.campaign.id, actor, digest, reason, key=key)
        _show_decision(opened, Verb.APPROVE, state, reason)

    return await _decide(request, opened, form, send)


async def deny(request: Request) -> Response:
    """Deny what was shown; others read the reason."""
    form = await read_form(request)
    opened = await _open(request)
    digest, key, reason = _read_digest(form), read_key(form), read_reason(form)
    if not reason:
        answer = Answer("Say why: a denial needs a reason.", "", HTTPStatus.UNPROCESSABLE_ENTITY)
        return await render_case(request, opened, digest, answer)
    cases, actor = opened.services.cases, opened.visitor.actor

    async def send() -> None:
        state = await cases.deny(opened.campaign.id, actor, reason, digest, key=key)
        _show_decision(opened, Verb.DENY, state, reason)

    return await _decide(request, opened, form, send)


async def comment(request: Request) -> Response:
    """Add a comment."""
    form = await read_form(request)
    opened = await _open(request)
    key, text = read_key(form), form.one("text")
    if not text:
        raise BadRequest("text: write the comment first")
    if len(text.encode()) > LONGEST_COMMENT:
        raise BadRequest(f"text: a comment has at most {LONGEST_COMMENT:,} bytes; shorten it")
    cases, actor = opened.services.cases, opened.visitor.actor
    return await _decide(
        request, opened, form, lambda: cases.comment(opened.campaign.id, actor, text, key=key)
    )


async def assign(request: Request) -> Response:
    """Assign the case to whoever asks, or to nobody."""
    form = await read_form(request)
    opened = await _open(request)
    to = form.one("to", "me")
    if to not in {"me", "nobody"}:
        raise BadRequest("to: a case is assigned to `me` or to `nobody` here")
    cases, actor = opened.services.cases, opened.visitor.actor
    assignee, key = AssignTo(is_self=True) if to == "me" else AssignTo(), read_key(form)

    async def send() -> None:
        name = await cases.assign(opened.campaign.id, actor, assignee, key=key)
        show_assignment(opened.services, opened.campaign.listed, name, opened.visitor)

    return await _decide(request, opened, form, send)


def read_key(form: Form) -> str:
    """Read the one-time key of a form: what is sent twice under one key counts once.

    Raises:
        BadRequest: it has another form.

    """
    key = form.one("key")
    if _KEY.fullmatch(key) is None:
        raise BadRequest("key: the one-time key of the form is missing; load the page again")
    return key


def read_reason(form: Form) -> str:
    """Read what a person gives as a reason.

    Raises:
        BadRequest: it is too long.

    """
    reason = form.one("reason")
    if len(reason) > LONGEST_REASON:
        raise BadRequest(f"reason: at most {LONGEST_REASON:,} characters; shorten it")
    return reason


async def _open(request: Request) -> OpenedCase:
    query = read_query(request, frozenset({"run"}))
    opened = await open_case(request, query.get("run", ""))
    if not opened.campaign.is_newest:
        raise BadRequest("this campaign has ended: nothing can be decided about it any more")
    return opened


def _show_decision(opened: OpenedCase, verb: Verb, state: str, reason: str) -> None:
    show_decision(opened.services, opened.campaign.listed, verb, state, opened.visitor, reason)


def _read_digest(form: Form) -> str:
    if DIGEST.fullmatch(digest := form.one("digest")) is None:
        raise BadRequest("digest: name what you decide about; load the page again")
    return digest


async def _decide(
    request: Request, opened: OpenedCase, form: Form, send: Callable[[], Awaitable[object]]
) -> Response:
    """Send a decision and go to the case as it is then; or show why it did not count."""
    services, case_id = opened.services, opened.campaign.id
    try:
        await send()
    except UpdateRefused as error:
        answer = Answer(_sentence(error), form.one("reason"), HTTPStatus.CONFLICT)
    except PartsUndecided as error:
        named = "; ".join(f"{part}: {why}" for part, why in error.errors.items())
        answer = Answer(
            _sentence(f"a part of the campaign did not take it: {named}"),
            form.one("reason"),
            HTTPStatus.CONFLICT,
        )
    except NoWorkerAnswered:
        answer = Answer(_UNKNOWN, form.one("reason"), HTTPStatus.ACCEPTED)
    else:
        services.open_cases.forget(case_id)
        services.changes.announce(case_id)
        return RedirectResponse(opened.campaign.page, HTTPStatus.SEE_OTHER)

    services.open_cases.forget(case_id)
    try:
        now = await open_case(request, request.query_params.get("run", ""))
    except Exception as error:
        raise Unavailable(answer.problem) from error
    return await render_case(request, now, form.one("digest"), answer)


def _sentence(error: object) -> str:
    text = show_mail_text(str(error), LONGEST_REASON)
    return f"This did not count: {text}."


DECISION_PAGES: Final = tuple(
    Page(
        f"/cases/{{rule}}/{{hash}}/{name}",
        handler,
        Role.ANALYST,
        RateClass.DECISION,
        methods=("POST",),
    )
    for name, handler in (
        ("approve", approve),
        ("deny", deny),
        ("comment", comment),
        ("assign", assign),
    )
)
