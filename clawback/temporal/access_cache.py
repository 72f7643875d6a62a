"""What a console knows of API tokens and revoked sessions: read every few seconds, and its age.

It fails closed: without an answer for a minute, no token and no session counts.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from clawback.identity.access_list import AccessSnapshot, find_token, hash_session
from clawback.model.identity import Identity
from clawback.temporal.access_gateway import AccessGateway

READ_EVERY: Final = timedelta(seconds=10)
"""How long a revoked token may still be taken."""
STALE_AFTER: Final = timedelta(seconds=60)
_PAUSE: Final = 1.0
"""Seconds between two reads because of an unknown token: anybody can send one."""
log = structlog.get_logger("clawback")


class AccessCache:
    """The tokens and revoked sessions of an installation, as one process knows them."""

    def __init__(self, gateway: AccessGateway, clock: Callable[[], float] = time.monotonic) -> None:
        self._gateway, self._clock = gateway, clock
        self._snapshot = AccessSnapshot()
        self._read_at = self._tried_at = -float("inf")
        self._revoked_here: set[str] = set()
        self._reading = asyncio.Lock()

    @property
    def age(self) -> float:
        """Seconds since the server answered last."""
        return self._clock() - self._read_at

    @property
    def is_stale(self) -> bool:
        """Whether too little is known to let anybody in."""
        return self.age > STALE_AFTER.total_seconds()

    async def watch(self) -> None:
        """Read again and again until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(READ_EVERY.total_seconds())

    async def refresh(self) -> None:
        """Read if the last read is ten seconds old, because nobody watches."""
        if self.age > READ_EVERY.total_seconds() and self._may_read:
            await self.read()

    async def read(self) -> None:
        """Read what counts now, and continue a run that somebody ended. Never raises."""
        async with self._reading:
            began = self._tried_at = self._clock()
            try:
                view = await self._gateway.look()
                if view is not None and not view.is_running:
                    view = await self._gateway.keep()
            except Exception as error:  # noqa: BLE001 - whatever it is, the cache grows old
                log.warning("console.access_unreadable", error=error)
                return

            self._snapshot = AccessSnapshot() if view is None else view.counting
            self._read_at = began

    async def identify(self, secret: str) -> Identity | None:
        """Return whose token this is; None if it is none that counts."""
        await self.refresh()
        if (found := self._find(secret)) is None and self._may_read:
            await self.read()
            found = self._find(secret)
        return found

    def note_revoked(self, session_id: str) -> None:
        """Revoke a session in this process at once, whatever becomes of the order to do so."""
        self._revoked_here.add(hash_session(session_id))

    def is_revoked(self, session_id: str) -> bool:
        """Whether a session was revoked, or nobody can say that it was not."""
        session = hash_session(session_id)
        return self.is_stale or session in self._revoked_here or session in self._snapshot.sessions

    def has_revoked(self, identity: Identity, began: datetime) -> bool:
        """Whether all sessions of a person were revoked after one of them began."""
        return self._snapshot.has_revoked(identity, began)

    @property
    def _may_read(self) -> bool:
        return self._clock() - self._tried_at > _PAUSE

    def _find(self, secret: str) -> Identity | None:
        if self.is_stale:
            return None
        token = find_token(self._snapshot, secret, datetime.now(UTC))
        return None if token is None else token.identity
