"""What this process has handled already, so that reading a page again does only what is left.

An optimisation: cases drop what they have, so a forgotten entry only costs time.
"""

from collections.abc import Container, Sequence

from cachetools import LRUCache

from clawback.cases import Match
from clawback.ingest.result import IngestResult
from clawback.model.events import Event

_MOST_ENTRIES = 200_000
_Sent = tuple[str, str, str, str]
"""Case, event, rule and version of the condition."""


class IngestMemory:
    """Remembers the events, rejections and matches of pages that were dispatched."""

    def __init__(self) -> None:
        # Bounded in entries; the least recently read are forgotten first.
        self._seen: LRUCache[str, None] = LRUCache(_MOST_ENTRIES)
        self._assessed: LRUCache[str, object] = LRUCache(_MOST_ENTRIES)
        self._sent: LRUCache[_Sent, None] = LRUCache(_MOST_ENTRIES)

    def is_fresh(self, event: Event) -> bool:
        """Whether an event was not on any page before."""
        return event.key not in self._seen

    def is_assessed(self, event: Event, rules_version: str) -> bool:
        """Whether an event was decided in its present state, by these rules."""
        return self._assessed.get(event.key) == fingerprint(event, rules_version)

    def is_sent(self, case_id: str, event: Event, rule: str, condition: str) -> bool:
        """Whether a case has a match already, made under the same version of the condition."""
        return (case_id, event.key, rule, condition) in self._sent

    def drop_sent(self, case_id: str, matches: Sequence[Match]) -> list[Match]:
        """Leave out the matches that a case has already."""
        return [one for one in matches if _sent_key(case_id, one) not in self._sent]

    def add_sent(self, case_id: str, matches: Sequence[Match]) -> None:
        """Remember matches that have reached their case."""
        for match in matches:
            self._sent[_sent_key(case_id, match)] = None

    def drop_known(self, result: IngestResult) -> None:
        """Leave out events and rejections that were counted before."""
        result.fresh = [event for event in result.fresh if self.is_fresh(event)]
        result.rejected = [one for one in result.rejected if one.digest not in self._seen]

    def add(self, result: IngestResult, unsent: Container[str]) -> None:
        """Remember the events and rejections of a result; `unsent` are keys of events.

        An event is decided once all of its matches have reached their cases: until then it is
        evaluated again whenever it is read.
        """
        for key, fingerprint_ in result.assessed:
            if key not in unsent:
                self._assessed[key] = fingerprint_

        for event in result.fresh:
            self._seen[event.key] = None

        for rejection in result.rejected:
            self._seen[rejection.digest] = None


def _sent_key(case_id: str, match: Match) -> _Sent:
    # A case hears of a match again if it was made anew, under another condition.
    return case_id, match.key, match.rule, match.condition_version


def fingerprint(event: Event, rules_version: str) -> object:
    """Return what can change the decision on an event: its verdict, and what was done to it."""
    record = event.record
    operations = record.get("post_delivery_operations")
    return (
        rules_version,
        record.get("final_disposition"),
        record.get("disposition"),
        record.get("updated_at"),
        event.handled,
        len(operations) if isinstance(operations, list) else 0,
    )
