"""On whose behalf an activity asks the API.

What people take back or have agreed to goes before what rules do alone.
"""

from temporalio import activity

from clawback.cloudflare import EmailSecurity, Share
from clawback.temporal.names import APPROVED_PRIORITY, UNDO_PRIORITY


class SharedClients:
    """One client to each share of the rate limit that containment may use.

    The priority of an activity says which is its own.
    """

    def __init__(self, api: EmailSecurity) -> None:
        self._routine = api.on(Share.ACTING)
        self._urgent = {
            UNDO_PRIORITY: api.on(Share.UNDO),
            APPROVED_PRIORITY: api.on(Share.APPROVED),
        }

    @property
    def clients(self) -> tuple[EmailSecurity, ...]:
        """All of them."""
        return (self._routine, *self._urgent.values())

    @property
    def client(self) -> EmailSecurity:
        """That of the activity that is running."""
        return self._urgent.get(activity.info().priority.priority_key or 0, self._routine)
