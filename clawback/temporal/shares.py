"""Picks the share of the rate limit for an activity by its priority.

Undo and approved actions go before what rules do alone.
"""

from temporalio import activity

from clawback.cloudflare import EmailSecurity, Share
from clawback.temporal.names import APPROVED_PRIORITY, UNDO_PRIORITY


class SharedClients:
    """One API client per share of the rate limit that containment may use."""

    def __init__(self, api: EmailSecurity) -> None:
        self._routine = api.on(Share.ACTING)
        self._by_priority = {
            UNDO_PRIORITY: api.on(Share.UNDO),
            APPROVED_PRIORITY: api.on(Share.APPROVED),
        }

    @property
    def clients(self) -> tuple[EmailSecurity, ...]:
        """The clients of all shares."""
        return (self._routine, *self._by_priority.values())

    @property
    def client(self) -> EmailSecurity:
        """The client for the priority of the running activity."""
        return self._by_priority.get(activity.info().priority.priority_key or 0, self._routine)
