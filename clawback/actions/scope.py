"""What an action is done to."""

from enum import StrEnum


class Scope(StrEnum):
    """What an action is done to: each message of a case, or the case once."""

    MESSAGE = "message"
    CASE = "case"
