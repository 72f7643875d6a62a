"""How far a notification is, as the index knows it."""

from enum import StrEnum


class NotificationState(StrEnum):
    """The states of a notification; what failed is not tried again."""

    WAITING = "waiting"
    """It is being delivered, or tried again."""
    QUIET = "quiet"
    """It waits for the end of quiet hours."""
    NOTIFIED = "notified"
    FAILED = "failed"
