"""Who looks at a page, and the gate that every request passes before its handler."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.page_routes import Page
from clawback.model.identity import Actor, Identity, Role


@dataclass(frozen=True)
class Visitor:
    """Somebody who signed in.

    `session` is the id of the session, `csrf` the token that its forms carry, `signed_in_at` when
    the person last proved who they are.
    """

    identity: Identity
    session: str
    csrf: str
    signed_in_at: datetime

    def may(self, role: Role) -> bool:
        """Whether this person has a role, or one that includes it."""
        return self.identity.may(role)

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
