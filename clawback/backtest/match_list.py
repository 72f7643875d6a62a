"""Lists what matched, by rule, and leaves out what people have reviewed before. Pure.

The reviewed matches are JSON lines, one for each rule and event, so that a change of them can be
reviewed like a change of the rules.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clawback.backtest.replay import ReplayedMatch
from clawback.backtest.simulated_cases import SimulatedCase

Reviewed = Mapping[tuple[str, str], Mapping[str, str]]
"""Reviewed matches: by rule and event, what people saw of each."""


class ListedMatch(NamedTuple):
    """One match of a list.

    `responded` is false for what only counted towards a threshold that was not met.
    """

    rule: str
    match: ReplayedMatch
    responded: bool


@dataclass(frozen=True, slots=True)
class RuleMatches:
    """The matches of one rule, newest first; `reviewed` counts those that are left out."""

    rule: str
    matches: Sequence[ListedMatch]
    reviewed: int = 0

    @property
    def responded(self) -> Sequence[ListedMatch]:
        """Those that led to a response."""
        return [one for one in self.matches if one.responded]


class NotReviewed(ValueError):
    """A file is not one of reviewed matches."""


def list_matches(cases: Iterable[SimulatedCase], reviewed: Reviewed) -> list[RuleMatches]:
    """List each event once for each rule that it matched, without those that were reviewed."""
    by_rule: dict[str, dict[str, ListedMatch]] = {}
    for case in cases:
        rule, responded = case.plan.rule, case.responds_at is not None
        found = by_rule.setdefault(rule, {})
        for one in case.matches:
            if responded or one.key not in found:
                found[one.key] = ListedMatch(rule, one, responded)

    lists = [_without(reviewed, rule, list(found.values())) for rule, found in by_rule.items()]
    return sorted(lists, key=lambda one: (-len(one.responded), -len(one.matches), one.rule))


def _without(reviewed: Reviewed, rule: str, found: list[ListedMatch]) -> RuleMatches:
    new = [one for one in found if (rule, one.match.key) not in reviewed] if reviewed else found
    new.sort(key=lambda one: (one.match.at, one.match.key), reverse=True)
    return RuleMatches(rule, new, len(found) - len(new))


def read_reviewed(lines: Iterable[str]) -> Reviewed:
    """Read reviewed matches; blank lines are ignored.

    Raises:
        NotReviewed: a line is something else; the message has its number.

    """
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                one = json.loads(line)
                found[one["rule"], one["event"]] = one
            except (ValueError, KeyError, TypeError):
                text = 'not a reviewed match, a JSON object with "rule" and "event"'
                raise NotReviewed(f"line {number}: {text}") from None
    return found


def write_reviewed(reviewed: Reviewed, new: Iterable[ListedMatch]) -> Iterator[str]:
    """Write the reviewed matches and new ones, sorted, so that versions of the file compare."""
    both = {**reviewed, **{(one.rule, one.match.key): _as_reviewed(one) for one in new}}
    for key in sorted(both):
        yield json.dumps(both[key], ensure_ascii=False) + "\n"


def _as_reviewed(one: ListedMatch) -> Mapping[str, str]:
    match = one.match
    return {
        "rule": one.rule,
        "event": match.key,
        "at": f"{match.at:%FT%TZ}",
        "sender": match.sender,
        "subject": match.subject,
    }
