"""How long cases wait: for late matches, and for people."""

from datetime import timedelta

from clawback.model.durations import Duration
from clawback.model.payload import Payload


class CaseTiming(Payload):
    """How long a case waits.

    `linger`: after the last match, for late ones; never less than the lookback of the pollers.
    `approval_timeout`: for a decision, while it is held. `warning`: how long before that timeout
    people are notified once more.
    """

    linger: Duration = timedelta(minutes=30)
    approval_timeout: Duration = timedelta(days=7)
    warning: Duration = timedelta(days=1)
