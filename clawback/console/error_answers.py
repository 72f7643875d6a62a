"""Answers for errors that need no layout: problem details for programs, a part of a page for htmx.

Source: RFC 9457.
"""

import html
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from clawback.console.access.refusals import FreshSignInNeeded, Refusal, SignInNeeded
from clawback.console.errors import ConsoleError

API: Final = "/api/"
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title} - clawback</title>
<main><h1>{title}</h1><p role="alert">{text}</p><p><a href="/">Inbox</a></p></main></html>
"""
_PART: Final = '<p role="alert">{text}{remedy}</p>\n'
_SIGN_IN: Final = (
    ' <a href="/sign-in{query}" target="_blank" rel="noopener">Sign in in a new tab</a>, '
    "then send again."
)


def answer_error(request: Request, error: ConsoleError) -> Response:
    """Answer with what went wrong, in the form that the asker reads."""
    headers = dict(error.headers)
    text = html.escape(str(error))
    if is_for_program(request):
        content = {"title": error.title, "status": error.status, "detail": str(error)}
        media_type = "application/problem+json"
        return JSONResponse(content, error.status, headers, media_type=media_type)
    if is_for_htmx(request):
        part = _PART.format(text=text, remedy=_remedy(error))
        return HTMLResponse(part, error.status, headers)
    heading = error.heading if isinstance(error, Refusal) else error.title
    page = _PAGE.format(title=html.escape(heading), text=text)
    return HTMLResponse(page, error.status, headers)


def is_for_program(request: Request) -> bool:
    """Whether a program asks."""
    return str(request.scope["path"]).startswith(API)


def is_for_htmx(request: Request) -> bool:
    """Whether a page asks for a part of itself."""
    return "hx-request" in request.headers


def _remedy(error: ConsoleError) -> str:
    if isinstance(error, SignInNeeded):
        return _SIGN_IN.format(query="")
    if isinstance(error, FreshSignInNeeded):
        return _SIGN_IN.format(query="?fresh=1")
    return ""
