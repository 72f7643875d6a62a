"""What this process has handled already, so that reading a page again does only what is left.

An optimisation: cases drop what they have, so a forgotten entry only costs time. It keeps hashes,
of which 64 bits are enough to tell keys apart: an entry takes about 70 bytes.
"""

from collections.abc import Container, Hashable, Sequence

from clawback.cases import Match
from clawback.ingest.result import IngestResult
from clawback.model.events import Event

_MOST_ENTRIES = 120_000


class RecentHashes:
    """The hashes of at least the last `most / 2` values that were added or asked for."""

    def __init__(self, most: int) -> None:
        self._most_recent = most // 2
        self._recent: set[int] = set()
        self._older: set[int] = set()

    def add(self, value: Hashable) -> None:
        """Add a value; if there are too many, the older half is forgotten."""
        self._add(hash(value))

    def __contains__(self, value: Hashable) -> bool:
        number = hash(value)
        if number in self._recent:
            return True
        if number not in self._older:
            return False
        self._add(number)
        return True

    def _add(self, number: int) -> None:
        if len(self._recent) >= self._most_recent:
            self._recent, self._older = set(), self._recent
        self._recent.add(number)

    def __len__(self) -> int:
        return len(self._recent | self._older)


class IngestMemory:
    """Remembers the events, rejections and matches of pages that were dispatched."""

    def __init__(self) -> None:
        self._seen = RecentHashes(_MOST_ENTRIES)
        self._assessed = RecentHashes(_MOST_ENTRIES)
        self._sent = RecentHashes(_MOST_ENTRIES)

    def is_fresh(self, event: Event) -> bool:
        """Whether an event was not on any page before."""
        return event.key not in self._seen

    def is_assessed(self, event: Event, rules_version: str) -> bool:
        """Whether an event was decided in its present state, by these rules."""
        return (event.key, fingerprint(event, rules_version)) in self._assessed

    def is_sent(self, case_id: str, event: Event, rule: str, condition: str) -> bool:
        """Whether a case has a match already, made under the same version of the condition."""
        return (case_id, event.key, rule, condition) in self._sent

    def drop_sent(self, case_id: str, matches: Sequence[Match]) -> list[Match]:
        """Leave out the matches that a case has already."""
        return [one for one in matches if _sent_key(case_id, one) not in self._sent]

    def add_sent(self, case_id: str, matches: Sequence[Match]) -> None:
        """Remember matches that have reached their case."""
        for match in matches:
            self._sent.add(_sent_key(case_id, match))

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
                self._assessed.add((key, fingerprint_))

        for event in result.fresh:
            self._seen.add(event.key)

        for rejection in result.rejected:
            self._seen.add(rejection.digest)


def _sent_key(case_id: str, match: Match) -> tuple[str, str, str, str]:
    """Case, event, rule and version of the condition."""
    # A case hears of a match again if it was made anew, under another condition.
    return case_id, match.key, match.rule, match.condition_version


def fingerprint(event: Event, rules_version: str) -> int:
    """Hash what can change the decision on an event: its verdict, and what was done to it."""
    record = event.record
    operations = record.get("post_delivery_operations")
    state = (
        rules_version,
        record.get("final_disposition"),
        record.get("disposition"),
        record.get("updated_at"),
        event.handled,
        len(operations) if isinstance(operations, list) else 0,
    )
    try:
        return hash(state)
    except TypeError:  # an odd record may have a list in place of a text
        return hash(repr(state))
