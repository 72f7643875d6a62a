"""Signing in and out: at an OpenID Connect provider, or by a link on this machine.

`/auth/start` and the way to the provider are links, because browsers apply `form-action` to what a
form redirects to. After the provider, a page of ours leads on, so that the strict cookie is sent.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from clawback.console.access.authenticator import Authenticator, LocalUser
from clawback.console.access.local_paths import INBOX, SIGNED_IN, mark_url, resolve_next, with_next
from clawback.console.access.refusals import SignInNeeded
from clawback.console.access.request_guard import add_cookie
from clawback.console.access.revocations import Revocations
from clawback.console.access.sealing import TooLargeToSeal
from clawback.console.access.session_cookie import Session, SessionCookie
from clawback.console.access.sign_in_log import SignInLog, WhyRefused
from clawback.console.access.sign_in_views import SignInViews
from clawback.console.access.site import Site
from clawback.console.access.started_sign_in import StartedCookies, StartedSignIn
from clawback.console.access.who import FRESH_FOR, Visitor
from clawback.console.errors import BadRequest, NoSuchObject, Unavailable
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.query import read_query
from clawback.identity.discovery import ProviderConnection
from clawback.identity.errors import IdentityError, ProviderUnavailable
from clawback.identity.exchange import clean
from clawback.identity.links import OneTimeLinks
from clawback.identity.local import local_identity
from clawback.identity.role_mapping import Verified

log = structlog.get_logger("clawback")
CALLBACK: Final = "/auth/callback"
START: Final = "/auth/start"
SIGN_IN: Final = "/sign-in"
_START_QUERY: Final = frozenset({"next", "fresh", "problem"})
_COOKIES_REFUSED: Final = (
    "The sign-in succeeded, but your browser does not keep the cookie of this console. Allow its "
    "cookies, then sign in again."
)


@dataclass(frozen=True)
class SignInPages:
    """The routes under `/sign-in` and `/auth`. `provider` or `local` are there, or neither."""

    site: Site
    views: SignInViews
    cookie: SessionCookie
    started: StartedCookies
    authenticator: Authenticator
    revocations: Revocations
    now: Callable[[], datetime]
    log: SignInLog
    provider: ProviderConnection | None = None
    local: LocalUser | None = None
    links: OneTimeLinks | None = None

    @property
    def pages(self) -> tuple[Page, ...]:
        """What these routes declare."""
        return (
            Page(SIGN_IN, self.show_sign_in, None, RateClass.PAGE),
            Page(START, self.start, None, RateClass.SIGN_IN),
            Page(CALLBACK, self.finish, None, RateClass.SIGN_IN),
            Page("/auth/local", self.open_link, None, RateClass.SIGN_IN),
            Page("/auth/sign-out", self.sign_out, None, RateClass.DECISION, methods=("POST",)),
            Page("/auth/extend", self.extend, None, RateClass.DECISION, methods=("POST",)),
            Page("/auth/signed-out", self.show_signed_out, None, RateClass.PAGE),
        )

    async def show_sign_in(self, request: Request) -> Response:
        """Answer GET `/sign-in?next=`."""
        query = read_query(request, _START_QUERY)
        target = resolve_next(request, query.get("next", INBOX))
        is_again = "fresh" in query
        if request.state.visitor is not None and not is_again:
            return RedirectResponse(target, HTTPStatus.SEE_OTHER)
        fresh = {"fresh": "1"} if is_again else {}
        return self.views.answer_sign_in(
            request,
            with_next(START, target, **fresh),
            title="Sign in again" if is_again else "Sign in",
            problem=_COOKIES_REFUSED if query.get("problem") == "cookies" else "",
        )

    async def start(self, request: Request) -> Response:
        """Answer GET `/auth/start?next=`: lead to the provider; with `fresh`, have it ask again."""
        query = read_query(request, _START_QUERY)
        target = resolve_next(request, query.get("next", INBOX))
        if self.provider is None:
            return RedirectResponse(with_next(SIGN_IN, target), HTTPStatus.SEE_OTHER)
        try:
            provider = await self.provider.provider()
            redirect_uri = self.site.origin(request.headers["host"]) + CALLBACK
            begun = provider.begin_sign_in(redirect_uri, asks_again="fresh" in query)
        except ProviderUnavailable as error:
            return await self._fail(
                request, WhyRefused.PROVIDER_UNAVAILABLE, str(error), target=target
            )

        started = StartedSignIn(
            redirect_uri=begun.redirect_uri,
            state=begun.state,
            nonce=begun.nonce,
            verifier=begun.verifier,
            started_at=self.now(),
            target=target,
            asks_again="fresh" in query,
            former=self.authenticator.former_session(request),
        )
        for header in (*self.started.clear_many(request), self.started.write(started)):
            add_cookie(request, header)
        return RedirectResponse(begun.url, HTTPStatus.SEE_OTHER)

    async def finish(self, request: Request) -> Response:
        """Answer GET `/auth/callback`, where the provider sends the browser back."""
        if request.method != "GET":
            return Response()  # whoever only looks must not use it up
        query = request.query_params
        state = query.get("state", "")
        started = self.started.read(request, state, self.now())
        if self.provider is None or started is None:
            text = (
                "This answer belongs to no sign-in of this browser of the last ten minutes, or to "
                "one that is finished."
            )
            return await self._fail(request, WhyRefused.UNKNOWN_ANSWER, text)

        add_cookie(request, self.started.clear(state))
        if "error" in query or "code" not in query:
            said = f"{clean(query.get('error'))} {clean(query.get('error_description'))}".strip()
            text = f"The identity provider refuses: {said}."
            return await self._fail(
                request, WhyRefused.PROVIDER_REFUSED, text, target=started.target
            )
        return await self._exchange(request, self.provider, started)

    async def _exchange(
        self, request: Request, connection: ProviderConnection, started: StartedSignIn
    ) -> Response:
        query, target = request.query_params, started.target
        issuer = query.get("iss", connection.settings.issuer)
        if not hmac.compare_digest(issuer.encode(), connection.settings.issuer.encode()):
            # RFC 9207: the answer of another provider must not be taken for ours.
            text = "The answer is of another provider."
            return await self._fail(request, WhyRefused.OTHER_PROVIDER, text, target=target)
        try:
            provider = await connection.provider()
            verified, _ = await provider.finish_sign_in(
                started.sign_in, query["state"], query["code"]
            )
        except ProviderUnavailable as error:
            why = WhyRefused.PROVIDER_UNAVAILABLE
            return await self._fail(request, why, str(error), target=target)
        except IdentityError as error:
            return await self._fail(request, WhyRefused.NOT_VERIFIED, str(error), target=target)
        return await self._let_in(request, started, verified)

    async def _let_in(
        self, request: Request, started: StartedSignIn, verified: Verified
    ) -> Response:
        if not verified.identity.roles:
            log.warning("console.sign_in_without_role", claims=len(verified.claim_names))
            await self.log.note_refusal(WhyRefused.NO_ROLE, verified.identity)
            return self.views.answer_no_role(request, verified)

        now, auth_time = self.now(), verified.auth_time
        if started.asks_again:
            # Not every provider says when; then the sign-in that it was asked for is the proof.
            auth_time = auth_time or now
            if now - auth_time > FRESH_FOR:
                text = "The identity provider did not ask you to sign in again."
                return await self._fail(
                    request, WhyRefused.NOT_ASKED_AGAIN, text, target=started.target
                )

        session = Session.begin(verified.identity, now, auth_time=auth_time, former=started.former)
        try:
            add_cookie(request, self.cookie.write(session))
        except TooLargeToSeal:
            text = "Issuer and subject of the provider are too long for a cookie."
            return await self._fail(request, WhyRefused.TOO_LONG, text, target=started.target)
        log.info("console.signed_in", kind=verified.identity.source)
        await self.log.note_sign_in(session.identity, session.id)
        return self.views.answer_refresh(request, mark_url(started.target, SIGNED_IN))

    async def open_link(self, request: Request) -> Response:
        """Answer GET `/auth/local?link=`: sign the user of this machine in, once."""
        if self.local is None or self.links is None:
            raise NoSuchObject("People sign in at the identity provider here, not by a link.")
        if request.method != "GET":
            return Response()
        query = read_query(request, frozenset({"link"}))
        if not self.local.is_peer(request) or not self.links.use(query.get("link", "")):
            text = "This link is used, older than five minutes, or not of this console."
            return await self._fail(request, WhyRefused.BAD_LINK, text)

        now = self.now()
        former = self.authenticator.former_session(request)
        session = Session.begin(local_identity(), now, auth_time=now, former=former)
        add_cookie(request, self.cookie.write(session))
        log.info("console.signed_in", kind=session.identity.source)
        await self.log.note_sign_in(session.identity, session.id)
        return RedirectResponse(INBOX, HTTPStatus.SEE_OTHER)

    async def sign_out(self, request: Request) -> Response:
        """Answer POST `/auth/sign-out`: end the session, here and in every copy of the cookie."""
        add_cookie(request, self.cookie.clear())
        target = "/auth/signed-out"
        if (session := self._session(request)) is not None:
            await self.log.note_sign_out(session.identity, session.id)
            try:
                await self.revocations.revoke(session)
            except Unavailable:
                target = "/auth/signed-out?problem=revocation"
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)

    async def extend(self, request: Request) -> Response:
        """Answer POST `/auth/extend`: stay signed in; gives for how long, in seconds."""
        if (session := self._session(request)) is None:
            raise SignInNeeded
        now = self.now()
        renewed = session.renewed(now)
        add_cookie(request, self.cookie.write(renewed))
        return JSONResponse({"seconds": int((renewed.ends_at - now).total_seconds())})

    async def show_signed_out(self, request: Request) -> Response:
        """Answer GET `/auth/signed-out`."""
        query = read_query(request, frozenset({"problem"}))
        if query.get("problem", "revocation") != "revocation":
            raise BadRequest("problem: expected `revocation`")
        problem = (
            "Temporal does not answer, so the session is over in this browser only. A copy of its "
            "cookie counts until the session would have ended."
            if query
            else ""
        )
        leave = await self._provider_sign_out()
        request.state.visitor = None
        return self.views.answer_signed_out(request, leave, problem=problem)

    async def _provider_sign_out(self) -> str:
        if self.provider is None:
            return ""
        try:
            return (await self.provider.provider()).sign_out_url or ""
        except ProviderUnavailable:
            return ""

    def _session(self, request: Request) -> Session | None:
        """Return the session of whoever the gate let in."""
        visitor: Visitor | None = request.state.visitor
        session = self.authenticator.former_session(request)
        return session if visitor and session and session.id == visitor.session else None

    async def _fail(
        self, request: Request, why: WhyRefused, problem: str, *, target: str = INBOX
    ) -> Response:
        is_down = why is WhyRefused.PROVIDER_UNAVAILABLE
        status = HTTPStatus.SERVICE_UNAVAILABLE if is_down else HTTPStatus.FORBIDDEN
        log.warning("console.sign_in_refused", status=int(status))
        await self.log.note_refusal(why)
        return self.views.answer_sign_in(
            request,
            with_next(START, target),
            title="Nobody was signed in",
            problem=problem,
            status=status,
        )
