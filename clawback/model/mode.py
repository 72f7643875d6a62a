"""The modes of a rule."""

from enum import StrEnum


class Mode(StrEnum):
    """How far a rule may go, weakest first: record only, ask first, act."""

    SHADOW = "shadow"
    APPROVE = "approve"
    ENFORCE = "enforce"

    def capped(self, ceiling: "Mode") -> "Mode":
        """The weaker of this mode and a ceiling."""
        order = list(Mode)
        return min(self, ceiling, key=order.index)
