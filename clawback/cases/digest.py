"""The digest of a channel: what waits for the end of its quiet hours."""

from datetime import datetime
from typing import Final

from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MOST_WAITING: Final = 2_000
"""Notifications that one digest reports. Further ones fail, and the digest counts them."""
MOST_DESCRIBED: Final = 200
"""So many are kept with their texts; a message has no room for more lines."""


class WaitingNotification(Payload):
    """One notification that waits: its id, its subject and link, since when and until when.

    `subject` is rendered, so it is harmless.
    """

    id: str
    subject: str = ""
    link: str | None = None
    at: UtcDatetime
    until: UtcDatetime

    def without_text(self) -> "WaitingNotification":
        """Keep only what is needed to tell its workflow."""
        return self.model_copy(update={"subject": "", "link": None})


class Digest(Payload):
    """What waits for one channel, the oldest first. `refused` counts those without room."""

    channel: str
    waiting: tuple[WaitingNotification, ...] = ()
    refused: int = 0

    @property
    def until(self) -> UtcDatetime:
        """When it is due: as the newest says, since the channel file may have changed.

        Raises:
            IndexError: nothing waits.

        """
        return self.waiting[-1].until

    @property
    def has_room(self) -> bool:
        """Whether one more may wait."""
        return len(self.waiting) < MOST_WAITING

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be delivered now."""
        return bool(self.waiting) and now >= self.until

    def plus(self, one: WaitingNotification) -> "Digest":
        """Add one, unless it waits already."""
        if any(known.id == one.id for known in self.waiting):
            return self
        kept = one if len(self.waiting) < MOST_DESCRIBED else one.without_text()
        return self.model_copy(update={"waiting": (*self.waiting, kept)})

    def with_refused(self) -> "Digest":
        """Count one that has no room."""
        return self.model_copy(update={"refused": self.refused + 1})

    def after(self, delivered: "Digest") -> "Digest":
        """What is left once an earlier state of it was delivered."""
        known = {one.id for one in delivered.waiting}
        return Digest(
            channel=self.channel,
            waiting=tuple(one for one in self.waiting if one.id not in known),
            refused=self.refused - delivered.refused,
        )


class DigestDelivery(Payload):
    """A digest to deliver. `id` is the same for every attempt."""

    id: str
    at: UtcDatetime
    digest: Digest
