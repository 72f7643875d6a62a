"""API tokens and revoked sessions of an installation: who may come in, and who no longer may.

Pure: no clock and no I/O. The workflow `access` keeps one; the console reads what it shows.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pydantic import Field, ValidationError

from clawback.model.durations import format_duration
from clawback.model.identity import Identity, IdentitySource, Role
from clawback.model.orders import Order, OrderLog
from clawback.model.payload import Payload
from clawback.model.texts import bounded, printable
from clawback.model.times import UtcDatetime

T = TypeVar("T", bound=Payload)

PREFIX: Final = "clawback_"
"""Begins every token, so that secret scanners and people recognise one."""
ISSUER: Final = "clawback"
LONGEST_VALIDITY: Final = timedelta(days=365)
DEFAULT_VALIDITY: Final = timedelta(days=90)
LONGEST_SESSION: Final = timedelta(hours=24)
"""No session lasts longer, so no revocation needs to be kept longer."""
MOST_TOKENS: Final = 200
MOST_REVOCATIONS: Final = 5_000
MOST_PEOPLE: Final = 200
LONGEST_WHO: Final = 500
CLOCK_SKEW: Final = timedelta(minutes=1)
"""How far the clock of a console may be ahead of the server's."""
LONGEST_NAME: Final = 100
"""Bytes of the name of a token."""
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 4
_LONGEST_SECRET: Final = 100
_SESSION_DIGITS: Final = 32
"""Hexadecimal digits that are kept of the hash of a session id."""


class NewToken(Payload):
    """What an order to create a token says. Of the token itself only its hash is known."""

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: str = Field(default="", max_length=LONGEST_NAME)
    role: Role
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    expires_at: UtcDatetime


class ApiToken(NewToken):
    """A token of a machine, created by an operator."""

    created_by: str = ""
    created_at: UtcDatetime
    revoked_by: str = ""
    revoked_at: UtcDatetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the token still opens anything."""
        return self.revoked_at is None and now < self.expires_at

    @property
    def identity(self) -> Identity:
        """The identity of whoever presents this token: a machine, never a person."""
        return Identity(
            source=IdentitySource.TOKEN,
            issuer=ISSUER,
            subject=self.id,
            name=f"token {self.name or self.id}",
            is_verified=True,
            roles=(self.role,),
        )


class EndedSession(Payload):
    """What an order to revoke a session says: the hash of its id, and when it ends anyway."""

    session: str = Field(pattern=r"^[0-9a-f]{32}$")
    until: UtcDatetime


class RevokedPerson(Payload):
    """All sessions of one person that began until `at` are over; `who` as `Identity.spellings`."""

    who: str = Field(min_length=1, max_length=LONGEST_WHO)
    at: UtcDatetime
    by: str = ""
    reason: str = ""

    def covers(self, identity: Identity, began: datetime) -> bool:
        """Whether a session of somebody that began then is over."""
        # The clock of whoever began it may be ahead of the server's.
        return self.who in identity.spellings and began <= self.at + CLOCK_SKEW


class AccessSnapshot(Payload):
    """All tokens and revoked sessions, in the memo of the workflow and on continue-as-new.

    `sessions` gives when each revoked session would have ended, by the hash of its id; `people` has
    those whose sessions were all revoked, for as long as one could last. `changes` only grows.
    """

    tokens: tuple[ApiToken, ...] = ()
    sessions: Mapping[str, UtcDatetime] = Field(default_factory=dict)
    people: tuple[RevokedPerson, ...] = ()
    changes: int = 0

    def has_revoked(self, identity: Identity, began: datetime) -> bool:
        """Whether all sessions of a person were revoked after one of them began."""
        return any(one.covers(identity, began) for one in self.people)


def create_secret(
    role: Role, name: str, validity: timedelta, now: datetime
) -> tuple[str, NewToken]:
    """Make up a token; return the secret, which is kept nowhere, and what is."""
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    token = NewToken(
        id=secrets.token_hex(_ID_BYTES),
        name=bounded(printable(name), LONGEST_NAME),
        role=role,
        digest=hash_secret(secret),
        expires_at=now + validity,
    )
    return secret, token


def hash_secret(secret: str) -> str:
    """Hash a token. It has 256 random bits, so it needs neither salt nor a slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def hash_session(session_id: str) -> str:
    """Hash the id of a session, so that nobody can take over a session from the list."""
    return hashlib.sha256(session_id.encode("utf-8", "replace")).hexdigest()[:_SESSION_DIGITS]


def find_token(snapshot: AccessSnapshot, secret: str, now: datetime) -> ApiToken | None:
    """Return the valid token of a secret; None if there is none."""
    if not secret.startswith(PREFIX) or len(secret) > _LONGEST_SECRET:
        return None
    digest = hash_secret(secret)
    found = (one for one in snapshot.tokens if one.digest == digest and one.is_valid(now))
    return next(found, None)


class AccessList:
    """Tokens and revoked sessions, bounded in number and so in bytes."""

    def __init__(self, snapshot: AccessSnapshot) -> None:
        self._tokens = {token.id: token for token in snapshot.tokens}
        self._sessions = dict(snapshot.sessions)
        self._people = snapshot.people
        self._changes = snapshot.changes
        self.orders = OrderLog()

    def snapshot(self) -> AccessSnapshot:
        """Everything, as the memo shows it."""
        return AccessSnapshot(
            tokens=tuple(self._tokens.values()),
            sessions=self._sessions,
            people=self._people,
            changes=self._changes,
        )

    def creation_problem(self, order: Order, now: datetime) -> str | None:
        """Why the token of an order cannot be created; None if it can."""
        if (new := _parse(NewToken, order.content)) is None:
            return "the order does not describe a token"
        if new.id in self._tokens:
            return f"there is a token {new.id} already"
        if not timedelta() < new.expires_at - now <= LONGEST_VALIDITY + timedelta(minutes=10):
            longest = format_duration(LONGEST_VALIDITY)
            return f"a token is valid for at most {longest}, and ends in the future"
        if sum(token.is_valid(now) for token in self._tokens.values()) >= MOST_TOKENS:
            return f"{MOST_TOKENS} tokens are valid: revoke one with `clawback tokens revoke`"
        return None

    def create(self, order: Order, now: datetime) -> ApiToken:
        """Create the token of an order without a problem."""
        new = NewToken.model_validate_json(order.content)
        self._make_room(now)
        token = ApiToken(**new.model_dump(), created_by=order.actor.label, created_at=now)
        self._tokens[token.id] = token
        self._changes += 1
        return token

    def revocation_problem(self, token_id: str, now: datetime) -> str | None:
        """Why a token cannot be revoked; None if it can."""
        if (token := self._tokens.get(token_id)) is None:
            return f"there is no token {bounded(token_id, 40)!r}: see `clawback tokens list`"
        if token.revoked_at is not None:
            return f"{token.revoked_by} revoked the token at {token.revoked_at:%Y-%m-%d %H:%M} UTC"
        if not token.is_valid(now):
            return f"the token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC"
        return None

    def revoke(self, order: Order, now: datetime) -> ApiToken:
        """Revoke the token that an order names."""
        update = {"revoked_by": order.actor.label, "revoked_at": now}
        token = self._tokens[order.content].model_copy(update=update)
        self._tokens[token.id] = token
        self._changes += 1
        return token

    def session_problem(self, content: str, now: datetime) -> str | None:
        """Why a session cannot be revoked; None if it can."""
        ended = _parse(EndedSession, content)
        if ended is None or ended.until - now > LONGEST_SESSION:
            return "the order does not name a session"
        if len(self._open_sessions(now)) >= MOST_REVOCATIONS:
            return f"{MOST_REVOCATIONS} sessions were revoked within hours: try again later"
        return None

    def revoke_session(self, order: Order, now: datetime) -> EndedSession:
        """Revoke the session of an order without a problem; twice is the same as once."""
        ended = EndedSession.model_validate_json(order.content)
        self._sessions = {**self._open_sessions(now), ended.session: ended.until}
        self._changes += 1
        return ended

    def person_problem(self, who: str, now: datetime) -> str | None:
        """Why the sessions of a person cannot be revoked; None if they can."""
        if not who.strip() or len(who) > LONGEST_WHO:
            return "say whose sessions: a name, a subject or an id, as the audit has it"
        if len(self._recent_people(now)) >= MOST_PEOPLE:
            return f"the sessions of {MOST_PEOPLE} people were revoked within hours: try later"
        return None

    def revoke_person(self, order: Order, now: datetime) -> RevokedPerson:
        """Revoke all sessions of the person of an order without a problem."""
        revoked = RevokedPerson(
            who=order.content.strip().casefold(),
            at=now,
            by=order.actor.label,
            reason=bounded(order.reason),
        )
        others = (one for one in self._recent_people(now) if one.who != revoked.who)
        self._people = (*others, revoked)
        self._changes += 1
        return revoked

    def _recent_people(self, now: datetime) -> tuple[RevokedPerson, ...]:
        """The people of whom a revoked session would still be open."""
        return tuple(one for one in self._people if now - one.at <= LONGEST_SESSION)

    def _open_sessions(self, now: datetime) -> dict[str, datetime]:
        """The revoked sessions that would still be open."""
        return {session: until for session, until in self._sessions.items() if until > now}

    def _make_room(self, now: datetime) -> None:
        """Forget the tokens that ended first, if there are too many."""
        ended = [token for token in self._tokens.values() if not token.is_valid(now)]
        ended.sort(key=lambda token: token.revoked_at or token.expires_at)
        for token in ended[: max(len(self._tokens) - MOST_TOKENS + 1, 0)]:
            del self._tokens[token.id]


def _parse(model: type[T], content: str) -> T | None:
    try:
        return model.model_validate_json(content)
    except ValidationError:
        return None
