"""Outcomes: what became of one subject (a message, a pattern) of an action."""

MOVED = "moved"
RELEASED = "released"
RECLASSIFIED = "reclassified"
BLOCKED = "blocked"
CREATED = "created"
ALREADY_THERE = "already_there"
GONE = "gone"
"""The message or its mailbox no longer exists: there is nothing left to act on."""
UNKNOWN = "unknown"
WOULD = "would"
"""A rule in shadow mode would have done it."""

TOOK_EFFECT = frozenset({MOVED, RELEASED, RECLASSIFIED, BLOCKED, CREATED, UNKNOWN})
"""Outcomes that changed something, or may have: they cost budget and can be undone."""

_FAILED = "failed:"


def failed(reason: str) -> str:
    """The outcome of an action that did not happen; `reason` is a few words joined by `_`."""
    return f"{_FAILED}{reason}"


def is_failed(outcome: str) -> bool:
    """Whether an outcome says that the action did not happen."""
    return outcome.startswith(_FAILED)
