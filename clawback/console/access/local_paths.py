"""Paths of this console that a browser may be sent to, and the mark of a second try.

A browser withholds a strict cookie on the first request that another site leads to, so the answer
to it is a page that makes the browser ask again; the mark in the query ends that after one time.
"""

from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.routing import Match

MARK: Final = "sign-in"
ASKED_AGAIN: Final = "again"
"""The browser asks for the second time, from a page of ours."""
SIGNED_IN: Final = "done"
"""The browser comes from a sign-in, so it must have a cookie."""
INBOX: Final = "/"
_LONGEST: Final = 1_000
_OWN: Final = ("/auth/", "/sign-in", "/static/", "/events")


def resolve_next(request: Request, target: str) -> str:
    """Return where to go after signing in: a page of ours, else the inbox.

    Anything that a browser could read as another host, or that no route serves, is not ours.
    """
    is_plain = target.isascii() and target.isprintable() and len(target) <= _LONGEST
    if not is_plain or not target.startswith("/") or target[1:2] in {"/", "\\"}:
        return INBOX
    path = urlsplit(target).path
    if "\\" in target or "//" in path or path.startswith(_OWN):
        return INBOX
    return target if _is_served(request, path) else INBOX


def own_url(request: Request) -> str:
    """Return path and query of a request without the mark."""
    path = quote("/" + str(request.scope["path"]).lstrip("/\\"), safe="/:@!$&'()*+,;=~")
    query = request.query_params.multi_items()
    return _join(path, [(name, value) for name, value in query if name != MARK])


def mark_url(url: str, mark: str) -> str:
    """Mark a URL of ours."""
    path, _, query = url.partition("?")
    return _join(path, [*parse_qsl(query, keep_blank_values=True), (MARK, mark)])


def find_mark(request: Request) -> str:
    """Return the mark of a request, or an empty string."""
    return request.query_params.get(MARK, "")


def with_next(path: str, target: str, **others: str) -> str:
    """Return a path with the place to go to afterwards."""
    query = {**others, **({"next": target} if target != INBOX else {})}
    return _join(path, list(query.items()))


def _join(path: str, query: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _is_served(request: Request, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
