"""The matches that a case has counted towards its correlation so far."""

from collections.abc import Iterable

from clawback.cases.plan import Match
from clawback.correlation.sliding_window import WindowEntry

MOST_ENTRIES = 5000
"""Entries that a case remembers; far above any sane threshold."""


class WindowBuffer:
    """The window entries of one case, oldest first; of very many the newest are kept."""

    def __init__(self, entries: Iterable[WindowEntry]) -> None:
        self.entries = list(entries)

    def is_new(self, match: Match) -> bool:
        """Whether a record matches that referenced rule for the first time."""
        return all(
            (entry.key, entry.rule) != (match.window_key, match.rule) for entry in self.entries
        )

    def add(self, match: Match) -> None:
        """Add a match."""
        entry = WindowEntry(
            key=match.window_key,
            at=match.at,
            rule=match.rule,
            value=match.value,
            links=match.links,
        )
        self.entries.append(entry)
        del self.entries[:-MOST_ENTRIES]
