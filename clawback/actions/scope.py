"""What an action is done to, and what it costs."""

from enum import StrEnum


class Scope(StrEnum):
    """What an action is done to: each message of a case, or the case once."""

    MESSAGE = "message"
    CASE = "case"


class Spend(StrEnum):
    """What an action costs, and budgets count.

    Messages touched, senders blocked, reclassifications asked for, other policies made.
    """

    MESSAGES = "messages"
    BLOCKS = "blocks"
    RECLASSIFICATIONS = "reclassifications"
    POLICIES = "policies"
