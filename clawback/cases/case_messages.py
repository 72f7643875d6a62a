"""The messages of a case: those of its matches, and those that searches found."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from clawback.cases.plan import CasePlan, Match
from clawback.cases.state import CaseSnapshot
from clawback.model.messages import Target


class CaseMessages:
    """What a case knows of its messages; each attribute is the snapshot's of that name."""

    def __init__(self, plan: CasePlan, snapshot: CaseSnapshot) -> None:
        self._first_condition = plan.condition_version
        self.events = dict(snapshot.events)
        self.match_reasons = snapshot.match_reasons
        self.targets = dict(snapshot.targets)
        self.search_results = dict(snapshot.search_results)
        self.first_seen = dict(snapshot.first_seen)
        self.handled = set(snapshot.handled)
        self.conditions = dict(snapshot.conditions)
        self.last_condition = snapshot.last_condition

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {
            "match_reasons": self.match_reasons,
            "events": self.events,
            "targets": self.targets,
            "search_results": self.search_results,
            "first_seen": self.first_seen,
            "handled": frozenset(self.handled),
            "conditions": self.conditions,
            "last_condition": self.last_condition,
        }

    def __iter__(self) -> Iterator[Target]:
        """Every message: of matches first, then those that searches found."""
        yield from self.targets.values()
        for found in self.search_results.values():
            yield from found

    def add_match(self, match: Match) -> None:
        """Add what a match tells; the first match of a message counts."""
        self.events[match.key] = match.at
        self.note_condition(match)
        self.match_reasons = self.match_reasons or match.reasons

        for target in match.targets:
            self.targets.setdefault(target.id, target)
            self.first_seen.setdefault(target.id, match.visible_at)
        if match.handled:
            self.handled.update(target.id for target in match.targets)

    def note_condition(self, match: Match) -> None:
        """Note under which condition a match was made: also of one that comes again."""
        version = self.last_condition = match.condition_version
        for target in match.targets:
            if version == self._first_condition:
                self.conditions.pop(target.id, None)
            else:
                self.conditions[target.id] = version

    def conditions_of(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """The conditions under which messages matched; of none, the last one of the case."""
        if not targets:
            return (self.last_condition or self._first_condition,)
        found = {self.conditions.get(one.id, self._first_condition) for one in targets}
        return tuple(sorted(found))

    def add_search(self, index: int, found: Sequence[Target]) -> None:
        """Add what the search of an action found besides the messages of matches."""
        self.search_results[index] = tuple(one for one in found if one.id not in self.targets)

    def first_seen_among(self, targets: Iterable[Target]) -> dict[str, datetime]:
        """When each of these messages was first seen, by id, as long as nothing was done to it."""
        ids = (target.id for target in targets)
        return {id_: self.first_seen[id_] for id_ in ids if id_ in self.first_seen}
