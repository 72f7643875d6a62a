"""Why a notification could not be delivered.

DeliveryError            `reason` is a fixed code, used in outcomes
├─ DeliveryUnavailable   the receiver is down or busy; `retry_after` is how long it asks to wait
└─ DeliveryRejected      a retry cannot succeed
"""

from datetime import timedelta


class DeliveryError(Exception):
    """An attempt failed. `reason` is one of our codes, never text from the receiver."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DeliveryUnavailable(DeliveryError):
    """A later attempt may succeed."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class DeliveryRejected(DeliveryError):
    """No attempt can succeed."""
