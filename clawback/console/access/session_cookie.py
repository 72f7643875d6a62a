"""Sessions of the console. A session is in its cookie alone, so replicas share no store."""

import base64
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field, ValidationError

from clawback.console.access.sealing import Sealer
from clawback.model.identity import Identity, IdentitySource
from clawback.model.payload import Payload
from clawback.model.texts import bounded
from clawback.model.times import UtcDatetime

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=8)
LONGEST_LOCAL: Final = timedelta(hours=1)
"""Browsers send a cookie of this machine to every port of it, so it is not good for long."""
RENEWED_AFTER: Final = timedelta(minutes=1)
SKEW: Final = timedelta(minutes=1)
"""How far the clock of another replica may be ahead."""
_CSRF_BYTES: Final = 24
_LONGEST_NAME: Final = 120


class Session(Payload):
    """One sign-in of one browser.

    `auth_time` is when the person last proved who they are; None if the provider does not say.
    """

    id: str = Field(min_length=20, max_length=100)
    identity: Identity
    csrf: str = Field(min_length=20, max_length=100)
    issued_at: UtcDatetime
    last_seen: UtcDatetime
    expires_at: UtcDatetime
    auth_time: UtcDatetime | None = None

    @classmethod
    def begin(
        cls,
        identity: Identity,
        now: datetime,
        *,
        auth_time: datetime | None = None,
        ends_by: datetime | None = None,
        former: "Session | None" = None,
    ) -> "Session":
        """Begin a session with a new id.

        It keeps the CSRF token of a former session of the same person in this browser, so that a
        form that was open when the session ended can be sent after signing in again.
        """
        longest = LONGEST_LOCAL if identity.source is IdentitySource.LOCAL else LONGEST
        is_same = former is not None and former.identity.person == identity.person
        return cls(
            id=secrets.token_urlsafe(24),
            identity=identity.model_copy(update={"name": bounded(identity.name, _LONGEST_NAME)}),
            csrf=former.csrf if former and is_same else secrets.token_urlsafe(_CSRF_BYTES),
            issued_at=now,
            last_seen=now,
            expires_at=min(now + longest, ends_by or now + longest),
            auth_time=auth_time,
        )

    @property
    def ends_at(self) -> datetime:
        """When the session ends if nothing is done in it."""
        return min(self.expires_at, self.last_seen + IDLE)

    def is_open(self, now: datetime) -> bool:
        """Whether the session has begun and not ended."""
        return self.issued_at - SKEW <= now < self.ends_at

    def needs_renewal(self, now: datetime) -> bool:
        """Whether the cookie is to be sent again, because something was done in the session."""
        return now - self.last_seen >= RENEWED_AFTER

    def renewed(self, now: datetime) -> "Session":
        """Return the session as it is after something was done in it."""
        return self.model_copy(update={"last_seen": now})

    @property
    def form_token(self) -> str:
        """The CSRF token for a form, masked, so that compression of pages does not leak it."""
        token = self.csrf.encode()
        mask = os.urandom(len(token))
        return base64.urlsafe_b64encode(mask + _xor(mask, token)).decode()

    def has_token(self, form_token: str) -> bool:
        """Whether a token is of a form of this session."""
        try:
            masked = base64.b64decode(form_token, altchars=b"-_", validate=True)
        except ValueError:
            return False
        half = len(masked) // 2
        return hmac.compare_digest(_xor(masked[:half], masked[half:]), self.csrf.encode())


class SessionCookie:
    """The cookie of sessions; `name` is that of the installation, where there are several.

    On plain http of this machine it has a name of its own: browsers demand https of the prefix
    `__Host-`, which keeps other hosts of a domain from setting it.
    """

    def __init__(self, secrets: Sequence[bytes], *, is_secure: bool, name: str = "") -> None:
        self._sealer = Sealer("session", secrets)
        self._is_secure = is_secure
        # Cookies know no ports: the consoles of one machine would overwrite each other's.
        suffix = f"-{name}" if name else ""
        self.name = ("__Host-clawback" if is_secure else "clawback-console") + suffix

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session of a browser, open or not; None if there is none of ours."""
        if not (sealed := cookies.get(self.name)) or not (content := self._sealer.open(sealed)):
            return None
        try:
            return Session.model_validate_json(content)
        except ValidationError:
            return None

    def write(self, session: Session) -> str:
        """Return the header `Set-Cookie` of a session; the browser drops it when it closes.

        Raises:
            TooLargeToSeal: the provider's names of the person are too long.

        """
        sealed = self._sealer.seal(session.model_dump_json().encode())
        return f"{self.name}={sealed}; {self._attributes}"

    def clear(self) -> str:
        """Return the header `Set-Cookie` that removes the cookie."""
        return f"{self.name}=; Max-Age=0; {self._attributes}"

    @property
    def _attributes(self) -> str:
        secure = "; Secure" if self._is_secure else ""
        return f"Path=/; HttpOnly; SameSite=Strict{secure}"


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))
