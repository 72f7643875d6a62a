"""What a watching case has seen so far: the matches that count towards its threshold."""

from collections.abc import Iterable

from clawback.cases.plan import Match
from clawback.correlation.sliding_window import WindowEntry

MOST_SIGHTINGS = 5000
"""WindowBuffer a watching case remembers; far above any sane threshold."""


class WindowBuffer:
    """The sightings of one case, oldest first; of very many the newest are kept."""

    def __init__(self, kept: Iterable[WindowEntry]) -> None:
        self.kept = list(kept)

    def is_news(self, match: Match) -> bool:
        """Whether a record is seen for the first time as a match of that rule of a correlation."""
        return all(
            (sighting.key, sighting.rule) != (match.sighted_as, match.rule)
            for sighting in self.kept
        )

    def take(self, match: Match) -> bool:
        """Note a match; always something new."""
        self.kept.append(
            WindowEntry(
                key=match.sighted_as,
                at=match.at,
                rule=match.rule,
                value=match.value,
                links=match.links,
            )
        )
        del self.kept[:-MOST_SIGHTINGS]
        return True
