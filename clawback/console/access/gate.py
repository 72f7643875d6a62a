"""The gate in front of every page: who sends a request, whether they may, and how often.

What a page declares (`page_routes`) is enforced here. Whoever is not signed in is sent to do so.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.console.access.authenticator import Authenticator, Found
from clawback.console.access.local_paths import (
    ASKED_AGAIN,
    MARK,
    SIGNED_IN,
    find_mark,
    mark_url,
    own_url,
    with_next,
)
from clawback.console.access.page_limits import PageLimits
from clawback.console.access.refusals import (
    FreshSignInNeeded,
    RequestRefused,
    RoleNeeded,
    SignInNeeded,
)
from clawback.console.access.request_guard import SAFE_METHODS, add_cookie
from clawback.console.access.session_cookie import SessionCookie
from clawback.console.access.sign_in_log import SignInLog
from clawback.console.access.sign_in_views import SignInViews
from clawback.console.access.who import Visitor
from clawback.console.error_answers import is_for_htmx, is_for_program
from clawback.console.errors import BadRequest
from clawback.console.page_routes import Page
from clawback.console.requests.forms import read_form
from clawback.model.identity import Role

CSRF_HEADER: Final = "X-Clawback-CSRF"
CSRF_FIELD: Final = "csrf"


class SessionGate:
    """Lets in who is signed in and may see a page; sends the others to `start`.

    `start` is where a sign-in begins: at the provider, or on a page that says how.
    """

    def __init__(  # noqa: PLR0913 - what a request is judged by
        self,
        authenticator: Authenticator,
        cookie: SessionCookie,
        limits: PageLimits,
        views: SignInViews,
        log: SignInLog,
        *,
        start: str,
    ) -> None:
        self._authenticator, self._cookie, self._limits = authenticator, cookie, limits
        self._views, self._log, self._now, self._start = views, log, log.now, start

    async def admit(self, request: Request, page: Page) -> Visitor | Response | None:
        """Return who sends a request, or the answer in place of the page.

        Raises:
            ConsoleError: the request is refused.

        """
        if page.role is None:
            self._limits.count(request, page.rate, None, page.path)
            found = await self._find_for_sign_in(request)
            return found.visitor if found else None

        found = await self._authenticator.find(request)
        if found is None:
            return self._send_to_sign_in(request)
        if found.verified is not None and not found.visitor.identity.roles:
            return self._views.answer_no_role(request, found.verified)

        await self._check_token(request, found)
        if not found.visitor.may(page.role):
            raise RoleNeeded(found.visitor.identity, page.role)
        if MARK in request.query_params and request.method in SAFE_METHODS:
            return RedirectResponse(own_url(request), HTTPStatus.SEE_OTHER)
        self._limits.count(request, page.rate, found.visitor)
        await self._keep_session(request, found)
        return found.visitor

    async def read_session(self, request: Request) -> Visitor | None:
        """Return whose session a request to the HTTP API has; None if it has none.

        Raises:
            RequestRefused: it changes something, and has not the token of our forms.
            SignInNeeded, SignInUnavailable: what vouches for it is not valid, or cannot be asked.

        """
        found = await self._authenticator.find(request)
        if found is None:
            return None
        await self._check_token(request, found)
        await self._keep_session(request, found)
        return found.visitor

    async def _find_for_sign_in(self, request: Request) -> Found | None:
        """Find who is on a page that signs in or out; a refused assertion is shown there."""
        try:
            found = await self._authenticator.find(request)
        except SignInNeeded:
            return None
        if found is not None:
            await self._check_token(request, found)
        return found

    async def _check_token(self, request: Request, found: Found) -> None:
        """Check that a request which changes something was sent by a form of this session."""
        if request.method in SAFE_METHODS:
            return
        token = request.headers.get(CSRF_HEADER) or await _read_token(request)
        if found.session is None or not found.session.has_token(token):
            raise RequestRefused(
                HTTPStatus.FORBIDDEN,
                "The form is not of your session: reload the page, and send it again.",
            )

    def _send_to_sign_in(self, request: Request) -> Response:
        """Have the browser ask once more, from our own page; then sign in.

        A strict cookie is not sent on the way from a chat, a mail or the identity provider.
        """
        if request.method not in SAFE_METHODS or is_for_htmx(request) or is_for_program(request):
            raise SignInNeeded
        mark, url = find_mark(request), own_url(request)
        if mark == ASKED_AGAIN:
            return RedirectResponse(with_next(self._start, url), HTTPStatus.SEE_OTHER)
        if mark == SIGNED_IN:
            target = with_next("/sign-in", url, problem="cookies")
            return RedirectResponse(target, HTTPStatus.SEE_OTHER)
        return self._views.answer_refresh(request, mark_url(url, ASKED_AGAIN))

    async def _keep_session(self, request: Request, found: Found) -> None:
        """Send the cookie, if the browser lacks it, or after something was done in the session."""
        session, now = found.session, self._now()
        if session is None:
            return
        if found.is_new:
            await self._log.note_sign_in(session.identity, session.id)
            add_cookie(request, self._cookie.write(session))
        elif _is_activity(request) and session.needs_renewal(now):
            add_cookie(request, self._cookie.write(session.renewed(now)))


def require_fresh(visitor: Visitor, now: datetime) -> None:
    """Require a sign-in of the last 15 minutes, for what is hard to take back.

    Raises:
        FreshSignInNeeded: it is older, or its time is not known.

    """
    if not visitor.is_fresh(now):
        raise FreshSignInNeeded


def require_role(visitor: Visitor, role: Role) -> None:
    """Require a role within a page that several roles see.

    Raises:
        RoleNeeded: the person does not have it.

    """
    if not visitor.may(role):
        raise RoleNeeded(visitor.identity, role)


async def _read_token(request: Request) -> str:
    try:
        return (await read_form(request)).one(CSRF_FIELD)
    except BadRequest:
        return ""


def _is_activity(request: Request) -> bool:
    """Whether a person did something: opened a page or sent a form.

    What an open page reads by itself must not keep a session alive for ever.
    """
    return request.method not in SAFE_METHODS or not (
        is_for_htmx(request) or request.url.path.startswith("/events")
    )
