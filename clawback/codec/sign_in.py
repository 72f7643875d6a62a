"""Who may read payloads: who signed in, the user of this installation, who opened a sign-in link.

`Gate` is the one place that decides.
"""

import hmac
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from clawback.identity.errors import IdentityError
from clawback.identity.links import OneTimeLinks
from clawback.identity.peers import Address, find_user
from clawback.temporal.key_ring import KeyRing

if TYPE_CHECKING:
    from clawback.identity.bearer import BearerTokens

COOKIE = "clawback-codec"
SESSION_SECONDS = 12 * 3600
_LABEL = b"clawback codec "


class Method(Protocol):
    """One way to sign in."""

    def is_signed_in(self, request: Request) -> bool | None:
        """Whether a request may read payloads; None if this way does not know."""


@dataclass(frozen=True)
class Gate:
    """Asks each way to sign in, in order. The first that knows decides; nobody is let in else.

    Where there is an identity provider, the `tokens` that the Temporal UI passes come first.
    """

    methods: Sequence[Method]
    links: "Links"
    tokens: "BearerTokens | None" = None

    async def find_refusal(self, request: Request) -> str | None:
        """Say why a request may not read payloads; None if it may."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if self.tokens is not None and scheme.lower() == "bearer":
            return await _refuse_token(self.tokens, token.strip())

        answers = (method.is_signed_in(request) for method in self.methods)
        is_known = next((answer for answer in answers if answer is not None), False)
        return None if is_known else "sign in first: `clawback codec --link` prints a link"

    async def close(self) -> None:
        """Close the connections to the identity provider."""
        if self.tokens is not None:
            await self.tokens.close()


async def _refuse_token(tokens: "BearerTokens", token: str) -> str | None:
    try:
        identity = await tokens.identify(token)
    except IdentityError as error:
        return f"the token of the Temporal UI does not count: {error}"
    if not identity.roles:
        return f"{identity.label} has no role here: see CLAWBACK_IDENTITY_VIEWERS"
    return None


@dataclass(frozen=True)
class LocalUser:
    """The operating system knows the user at the other end of a connection inside the machine.

    Another user is refused even with a cookie of ours: browsers send the cookies of one port to
    every port of a host, so whoever serves another port here could have collected it.
    """

    user: int
    find: Callable[[Address, Address], int | None] = find_user

    def is_signed_in(self, request: Request) -> bool | None:
        """Whether the connection comes from a process of this user."""
        client, server = request.scope.get("client"), request.scope.get("server")
        if not client or not server:
            return None
        found = self.find(tuple(client), tuple(server))
        return None if found is None else found == self.user


class Links:
    """Sign-in links that count once, and the sessions that they open."""

    def __init__(self, keys: KeyRing, now: Callable[[], float] = time.time) -> None:
        secrets = [key.secret for key in keys]
        self._links = OneTimeLinks(secrets, "codec", now)
        self._keys = [hmac.digest(secret, _LABEL, "sha256") for secret in secrets]
        self._now = now

    def create(self) -> str:
        """Make the secret of a link that is good for five minutes."""
        return self._links.create()

    def open_session(self, link: str) -> str | None:
        """Use a link up; return the cookie of a session, or None if the link is not good."""
        if not self._links.use(link):
            return None
        text = f"{self._now() + SESSION_SECONDS:.0f}"
        return f"{text}.{_seal(self._keys[0], text)}"

    def is_signed_in(self, request: Request) -> bool | None:
        """Whether the request has the cookie of a session that is not over."""
        text, _, seal = request.cookies.get(COOKIE, "").rpartition(".")
        given = seal.encode()
        ours = (_seal(key, text).encode() for key in self._keys)
        if not any(hmac.compare_digest(given, one) for one in ours):
            return None
        return float(text) > self._now()


def build_gate(keys: KeyRing, tokens: "BearerTokens | None" = None) -> Gate:
    """Build the gate of this installation: tokens of a provider, its user, then links."""
    links = Links(keys)
    return Gate((LocalUser(os.geteuid()), links), links, tokens)


def _seal(key: bytes, text: str) -> str:
    return hmac.digest(key, f"session {text}".encode(), "sha256").hex()
