"""The messages of a case: those of its matches, and those that searches found."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from clawback.cases.plan import Match
from clawback.cases.state import CaseSnapshot
from clawback.model.messages import Target


class CaseMessages:
    """What a case knows of its messages; each attribute is the snapshot's of that name."""

    def __init__(self, snapshot: CaseSnapshot) -> None:
        self.events = dict(snapshot.events)
        self.match_reasons = snapshot.match_reasons
        self.targets = dict(snapshot.targets)
        self.search_results = dict(snapshot.search_results)
        self.first_seen = dict(snapshot.first_seen)
        self.handled = set(snapshot.handled)

    def __iter__(self) -> Iterator[Target]:
        """Every message: of matches first, then those that searches found."""
        yield from self.targets.values()
        for found in self.search_results.values():
            yield from found

    def add_match(self, match: Match) -> None:
        """Add what a match tells; the first match of a message counts."""
        self.events[match.key] = match.at
        self.match_reasons = self.match_reasons or match.reasons

        for target in match.targets:
            self.targets.setdefault(target.id, target)
            self.first_seen.setdefault(target.id, match.seen_at)
        if match.handled:
            self.handled.update(target.id for target in match.targets)

    def add_search(self, index: int, found: Sequence[Target]) -> None:
        """Add what the search of an action found besides the messages of matches."""
        self.search_results[index] = tuple(one for one in found if one.id not in self.targets)

    def first_seen_among(self, targets: Iterable[Target]) -> dict[str, datetime]:
        """When each of these messages was first seen, by id, as long as nothing was done to it."""
        ids = (target.id for target in targets)
        return {id_: self.first_seen[id_] for id_ in ids if id_ in self.first_seen}
