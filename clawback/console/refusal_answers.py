"""Answers for errors: problem details for programs, a fragment for htmx, a page for people.

Source: RFC 9457.
"""

import html
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from clawback.console.refusals import Refusal

API: Final = "/api/"
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title} - clawback</title>
<main><h1>{title}</h1><p role="alert">{detail}</p><p><a href="/">Inbox</a></p></main></html>
"""
_FRAGMENT: Final = '<p role="alert">{detail}</p>\n'


def answer_refusal(request: Request, error: Refusal) -> Response:
    """Answer with what went wrong, in the form that the asker reads."""
    headers = dict(error.headers)
    if is_for_program(request):
        content = {"title": error.title, "status": error.status, "detail": error.detail}
        return JSONResponse(content, error.status, headers, media_type="application/problem+json")
    form = _FRAGMENT if is_for_htmx(request) else _PAGE
    text = form.format(title=html.escape(error.title), detail=html.escape(error.detail))
    return HTMLResponse(text, error.status, headers)


def is_for_program(request: Request) -> bool:
    """Whether a program asks."""
    return request.url.path.startswith(API)


def is_for_htmx(request: Request) -> bool:
    """Whether a page asks for a part of itself."""
    return "hx-request" in request.headers
