"""The levels of a rule, as Sigma names them."""

from enum import StrEnum


class Level(StrEnum):
    """The severity of a match, lowest first."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its position: a higher level has a higher rank."""
        return _RANKS[self]

    @property
    def and_above(self) -> tuple["Level", ...]:
        """This level and those above it, lowest first."""
        return _LEVELS[self.rank :]

    @property
    def and_below(self) -> tuple["Level", ...]:
        """The levels up to this one, lowest first."""
        return _LEVELS[: self.rank + 1]


_LEVELS = tuple(Level)
_RANKS = {level: rank for rank, level in enumerate(_LEVELS)}
