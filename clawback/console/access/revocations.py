"""Sessions that were signed out: a cookie that somebody copied must not outlive that."""

from datetime import datetime
from typing import Protocol

from temporalio.service import RPCError

from clawback.console.access.session_cookie import Session
from clawback.console.errors import Unavailable
from clawback.model.identity import Actor, Identity
from clawback.temporal.access_cache import AccessCache
from clawback.temporal.access_gateway import AccessGateway

_UNANSWERED = (LookupError, RPCError, RuntimeError, ValueError)
"""What the gateway raises if the order did not come through, or nobody answers."""


class Revocations(Protocol):
    """The sessions that no longer count."""

    @property
    def is_stale(self) -> bool:
        """Whether nobody can say at the moment which sessions count."""

    def is_revoked(self, session: Session) -> bool:
        """Whether a session was signed out, or an operator has ended it."""

    def has_revoked(self, identity: Identity, began: datetime) -> bool:
        """Whether an operator has ended all sessions of a person since then."""

    async def revoke(self, session: Session) -> None:
        """End a session everywhere.

        Raises:
            Unavailable: it is ended in this process only.

        """


class SharedRevocations:
    """Revoked sessions that every replica knows: the workflow `access` keeps them."""

    def __init__(self, cache: AccessCache, gateway: AccessGateway) -> None:
        self._cache, self._gateway = cache, gateway

    @property
    def is_stale(self) -> bool:
        """Whether the server has not answered for a minute."""
        return self._cache.is_stale

    def is_revoked(self, session: Session) -> bool:
        """Whether a session was signed out, here or seconds ago elsewhere, or revoked."""
        return self._cache.is_revoked(session.id) or self.has_revoked(
            session.identity, session.issued_at
        )

    def has_revoked(self, identity: Identity, began: datetime) -> bool:
        """Whether an operator has ended all sessions of a person since then."""
        return self._cache.has_revoked(identity, began)

    async def revoke(self, session: Session) -> None:
        """Order the end of a session in the name of whoever has it.

        Raises:
            Unavailable: no worker or no server answers; this process knows of it all the same.

        """
        self._cache.note_revoked(session.id)
        actor = Actor(identity=session.identity)
        try:
            await self._gateway.sign_out(session.id, session.expires_at, actor)
        except _UNANSWERED as error:
            raise Unavailable("The session is over in this process only.") from error
