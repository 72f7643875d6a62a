"""Why a notice did not get there.

NotDelivered           `reason` is a fixed word for outcomes
├─ TryAgain            the receiver is away or busy; `after` is how long it asks to be left alone
└─ Refused             no repeat can change it
"""

from datetime import timedelta


class NotDelivered(Exception):
    """A notice that nobody has got.

    `reason` is a few fixed characters, without anything that the receiver said.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TryAgain(NotDelivered):
    """It may get there later."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Refused(NotDelivered):
    """It will never get there as it is."""
