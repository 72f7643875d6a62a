"""Who looks at a page, and the gate that every request passes before its handler."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.page_routes import Page
from clawback.model.identity import Actor, Identity, Role
from clawback.model.orders import Verb

FRESH_FOR: Final = timedelta(minutes=15)
"""How long a sign-in is good for what needs a recent one."""


class Via(StrEnum):
    """What says who sends a request."""

    SESSION = "session"
    """A cookie of ours, after a sign-in."""
    ACCESS = "access"
    """The assertion of Cloudflare Access in each request."""


@dataclass(frozen=True)
class Visitor:
    """Somebody who signed in.

    `session` is the id of the session, `csrf` the token that its forms carry, `signed_in_at` when
    the person last proved who they are; None if that is not known. `ends_at` is when the session
    ends if nothing is done in it.
    """

    identity: Identity
    session: str
    csrf: str
    signed_in_at: datetime | None
    via: Via = Via.SESSION
    ends_at: datetime | None = None

    def may(self, role: Role) -> bool:
        """Whether this person has a role, or one that includes it."""
        return self.identity.may(role)

    def may_order(self, verb: Verb) -> bool:
        """Whether this person has the role that an order takes."""
        return verb.role is None or self.may(verb.role)

    def is_fresh(self, now: datetime) -> bool:
        """Whether the person proved who they are in the last 15 minutes."""
        return self.signed_in_at is not None and now - self.signed_in_at <= FRESH_FOR

    @property
    def actor(self) -> Actor:
        """Who decides what this person decides here."""
        return Actor(identity=self.identity)

    @property
    def role(self) -> Role | None:
        """The highest role of this person."""
        return max(self.identity.roles, key=list(Role).index, default=None)


class Gate(Protocol):
    """Decides who may send which request: host, origin, session, role, rate."""

    async def admit(self, request: Request, page: Page) -> Visitor | Response | None:
        """Return who sends a request, or the answer that refuses it.

        None only for pages that need no role.
        """
