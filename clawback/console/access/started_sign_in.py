"""A sign-in that began in a browser: what the answer of the provider is checked against.

It is in a cookie of its own, which the browser also sends on the way back from the provider
(`SameSite=Lax`), and to `/auth` alone. One cookie for each state: several tabs may sign in at once.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request

from clawback.console.access.sealing import Sealer, TooLargeToSeal
from clawback.console.access.session_cookie import Session
from clawback.identity.oidc import SignIn
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

LIFETIME: Final = timedelta(minutes=10)
_PATH: Final = "/auth"
_DIGITS: Final = 12
_MOST_AT_ONCE: Final = 5


class StartedSignIn(Payload):
    """The secrets of one sign-in, and where it goes on.

    `former` is the session that the browser had; `asks_again` says that the person must prove who
    they are even if the provider knows them.
    """

    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    started_at: UtcDatetime
    target: str
    asks_again: bool = False
    former: Session | None = None

    @property
    def sign_in(self) -> SignIn:
        """What the provider's answer is checked against."""
        return SignIn("", self.redirect_uri, self.state, self.nonce, self.verifier)


class StartedCookies:
    """The cookies of sign-ins that began."""

    def __init__(self, secrets: Sequence[bytes], *, is_secure: bool) -> None:
        self._sealer = Sealer("sign-in", secrets)
        self._prefix = "__Secure-clawback-sign-in-" if is_secure else "clawback-sign-in-"
        self._attributes = f"Path={_PATH}; HttpOnly; SameSite=Lax{'; Secure' if is_secure else ''}"

    def write(self, started: StartedSignIn) -> str:
        """Return the header `Set-Cookie` of a sign-in."""
        try:
            sealed = self._sealer.seal(started.model_dump_json().encode())
        except TooLargeToSeal:
            small = started.model_copy(update={"former": None})
            sealed = self._sealer.seal(small.model_dump_json().encode())
        age = int(LIFETIME.total_seconds())
        return f"{self._name(started.state)}={sealed}; Max-Age={age}; {self._attributes}"

    def read(self, request: Request, state: str, now: datetime) -> StartedSignIn | None:
        """Return the sign-in that an answer with this state belongs to, if this browser began it.

        Its cookie counts for this state alone, and for ten minutes.
        """
        sealed = request.cookies.get(self._name(state), "")
        content = self._sealer.open(sealed)
        try:
            started = StartedSignIn.model_validate_json(content or b"")
        except ValidationError:
            return None
        is_young = started.started_at <= now < started.started_at + LIFETIME
        return started if is_young and started.state == state else None

    def clear_many(self, request: Request) -> list[str]:
        """Return the headers that remove all cookies of sign-ins, if there are too many.

        A page of another site can begin sign-ins; with all of their cookies, no request would fit.
        """
        names = [name for name in request.cookies if name.startswith(self._prefix)]
        if len(names) < _MOST_AT_ONCE:
            return []
        return [f"{name}=; Max-Age=0; {self._attributes}" for name in names]

    def clear(self, state: str) -> str:
        """Return the header `Set-Cookie` that removes the cookie of a sign-in."""
        return f"{self._name(state)}=; Max-Age=0; {self._attributes}"

    def _name(self, state: str) -> str:
        digest = hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
        return f"{self._prefix}{digest[:_DIGITS]}"
