"""Says who sends a request: by an assertion of Cloudflare Access, or by a session.

The two are never mixed, nor with the tokens of the HTTP API: with a header `Authorization`, no
cookie counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from clawback.console.access.refusals import SignInNeeded, SignInUnavailable
from clawback.console.access.revocations import Revocations
from clawback.console.access.session_cookie import Session, SessionCookie
from clawback.console.access.who import Via, Visitor
from clawback.identity.access import HEADER, AccessVerifier
from clawback.identity.errors import ProviderUnavailable, TokenRefused
from clawback.identity.role_mapping import Verified
from clawback.model.hosts import is_loopback
from clawback.model.identity import Identity, IdentitySource

FindUser = Callable[[tuple[str, int], tuple[str, int]], int | None]


@dataclass(frozen=True)
class LocalUser:
    """The user of this machine for whom the console runs without an identity provider.

    Browsers send the cookies of one port to every port of a host, so a cookie alone proves nothing:
    the operating system says whose connection it is, where it can.
    """

    user: int
    find: FindUser

    def is_peer(self, request: Request) -> bool:
        """Whether a request comes from this machine, and not from another user of it."""
        client, server = request.scope.get("client"), request.scope.get("server")
        if not client or not server or not is_loopback(client[0]):
            return False
        found = self.find(tuple(client), tuple(server))
        return found is None or found == self.user


@dataclass(frozen=True)
class Found:
    """Somebody, and their session; `is_new` says that the browser does not have it yet."""

    visitor: Visitor
    session: Session | None = None
    is_new: bool = False
    verified: Verified | None = None
    """What Cloudflare Access says, if it vouches for the request."""


class Authenticator:
    """Finds out who sends a request. `issuer` is that of the OpenID Connect provider, if any."""

    def __init__(  # noqa: PLR0913 - each is one way in, or what all share
        self,
        cookie: SessionCookie,
        revocations: Revocations,
        now: Callable[[], datetime],
        *,
        issuer: str | None = None,
        access: AccessVerifier | None = None,
        local: LocalUser | None = None,
    ) -> None:
        self._cookie, self._revocations, self._now = cookie, revocations, now
        self._issuer, self._access, self._local = issuer, access, local

    async def find(self, request: Request) -> Found | None:
        """Return who sends a request; None if nobody is signed in.

        Raises:
            SignInNeeded: an assertion is not valid, or the request has a token.
            SignInUnavailable: an assertion cannot be verified now.

        """
        if "authorization" in request.headers:
            raise SignInNeeded("Tokens count under /api/v1 only; pages need a sign-in.")
        if self._access is not None and (assertion := request.headers.get(HEADER)) is not None:
            return await self._find_by_assertion(request, self._access, assertion)
        return self._find_by_cookie(request)

    def former_session(self, request: Request) -> Session | None:
        """Return the session of a browser, even if its time is up; None if it was signed out."""
        session = self._cookie.read(request.cookies)
        if session is None or self._revocations.is_revoked(session):
            return None
        return session

    async def _find_by_assertion(
        self, request: Request, access: AccessVerifier, assertion: str
    ) -> Found:
        try:
            verified = await access.verify(assertion)
        except ProviderUnavailable as error:
            raise SignInUnavailable(f"Cloudflare Access cannot be asked: {error}.") from error
        except TokenRefused as error:
            raise SignInNeeded(
                f"The assertion of Cloudflare Access is refused: {error}."
            ) from error

        # The session only carries the token of forms. It ends with the assertion, at the latest.
        identity, now = verified.identity, self._now()
        if self._revocations.has_revoked(identity, verified.issued_at):
            raise SignInNeeded(
                "An operator ended your sessions: sign out of Cloudflare Access, and sign in again."
            )
        former = self.former_session(request)
        is_same = former is not None and former.identity.person == identity.person
        if former is not None and is_same and former.is_open(now):
            session, is_new = former, False
        else:
            ends_by, auth_time = verified.expires_at, verified.issued_at
            session = Session.begin(
                identity, now, auth_time=auth_time, ends_by=ends_by, former=former
            )
            is_new = True

        visitor = _visitor(session, identity, Via.ACCESS, verified.issued_at)
        return Found(visitor, session, is_new, verified)

    def _find_by_cookie(self, request: Request) -> Found | None:
        session = self._cookie.read(request.cookies)
        if session is None or not session.is_open(self._now()):
            return None
        if self._revocations.is_stale:
            raise SignInUnavailable(
                "Temporal does not answer, so it is not known which sessions were signed out."
            )
        if self._revocations.is_revoked(session):
            return None
        if not self._is_of_our_provider(request, session.identity):
            return None
        return Found(_visitor(session, session.identity, Via.SESSION, session.auth_time), session)

    def _is_of_our_provider(self, request: Request, identity: Identity) -> bool:
        """Whether a session began in a way in which people still sign in."""
        if identity.source is IdentitySource.LOCAL:
            return self._local is not None and self._local.is_peer(request)
        return identity.source is IdentitySource.OIDC and identity.issuer == self._issuer


def _visitor(session: Session, identity: Identity, via: Via, auth_time: datetime | None) -> Visitor:
    return Visitor(
        identity=identity,
        session=session.id,
        csrf=session.form_token,
        signed_in_at=auth_time,
        via=via,
        ends_at=session.ends_at,
    )
