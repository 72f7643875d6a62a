"""What each person has taken back lately: many small undos are judged like one large undo.

Bounded: what has no room is forgotten, the oldest first, and then counts as not known.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clawback.cases.undo_judgement import UndoAssessment, UndoLimits
from clawback.cases.undo_plan import UndoPlan
from clawback.guard.sliding_counter import LONGEST
from clawback.model.durations import format_duration
from clawback.model.identity import Actor
from clawback.model.payload import Payload

MOST_UNDOS = 1_000
MOST_CASES = 5_000
"""Of all undos together; about 10 bytes each."""
_MOST_CASES_OF_ONE = 500
_HASH = 8


class UndoCharge(Payload):
    """What an undo counts for whoever asked for it.

    `person` and `cases` are hashes; `more` counts cases that are not among them. The same `digest`
    takes the same back, and counts once. `approved` says that a second person has agreed.
    """

    person: str
    name: str
    digest: str
    changes: int
    cases: tuple[str, ...] = ()
    more: int = 0
    limits: UndoLimits
    approved: bool = False

    @classmethod
    def of(
        cls,
        actor: Actor,
        plans: Iterable[UndoPlan],
        found: UndoAssessment,
        limits: UndoLimits,
        *,
        approved: bool = False,
    ) -> "UndoCharge":
        """Build the charge for an undo that was judged."""
        cases = tuple(dict.fromkeys(_hash(plan.counted_as)[:_HASH] for plan in plans))
        return cls(
            person=_hash(json.dumps(actor.identity.person))[: 2 * _HASH],
            name=actor.label,
            digest=found.digest,
            changes=found.changes,
            cases=cases[:_MOST_CASES_OF_ONE],
            more=max(found.cases - _MOST_CASES_OF_ONE, 0),
            limits=limits,
            approved=approved,
        )

    @property
    def unknown(self) -> str:
        """Why a second person must agree if nobody knows what this person has taken back."""
        per = format_duration(self.limits.per)
        return f"what {self.name} has taken back within {per} is not known"


@dataclass(frozen=True, slots=True)
class _Undo:
    """One undo that was counted; a short row in the snapshot."""

    person: str
    digest: str
    at: datetime
    changes: int
    more: int
    cases: tuple[str, ...]

    @classmethod
    def from_row(cls, row: list[Any]) -> "_Undo":
        """Read a row of a snapshot."""
        person, digest, at, changes, more, *cases = row
        return cls(person, digest, datetime.fromtimestamp(at, UTC), changes, more, tuple(cases))

    @property
    def row(self) -> list[Any]:
        """The row of a snapshot."""
        at = round(self.at.timestamp(), 3)
        return [self.person, self.digest, at, self.changes, self.more, *self.cases]


class UndoLedger:
    """The undos of the longest window. What came before `forgotten` is not known."""

    def __init__(self, rows: Iterable[list[Any]], forgotten: datetime | None) -> None:
        self._undos = [_Undo.from_row(row) for row in rows]
        self.forgotten = forgotten

    @property
    def rows(self) -> list[list[Any]]:
        """The undos in a snapshot."""
        return [one.row for one in self._undos]

    def count(self, charge: UndoCharge, now: datetime, *, is_known: bool) -> tuple[str, ...]:
        """Count an undo, unless a second person must agree first: then say why.

        What is approved is always counted. `is_known` is False if undos of the window were lost.
        """
        reasons = tuple(self._reasons(charge, now, is_known=is_known))
        if charge.approved or not reasons:
            self._add(charge, now)
        return () if charge.approved else reasons

    def _reasons(self, charge: UndoCharge, now: datetime, *, is_known: bool) -> Iterator[str]:
        limits = charge.limits
        start = now - limits.per
        if not is_known or (self.forgotten is not None and start < self.forgotten):
            yield charge.unknown

        others = [
            one
            for one in self._undos
            if one.person == charge.person and one.digest != charge.digest and one.at > start
        ]
        per, have = format_duration(limits.per), f"{charge.name} has taken back"
        changes = sum(one.changes for one in others)
        if changes + charge.changes > limits.changes:
            most = f"{changes:,} of {limits.changes:,} changes within {per}"
            yield f"{have} {most}, and this undo has {charge.changes:,}"

        before = _count_cases(others)
        if (cases := _count_cases([*others, _undo_of(charge, now)])) > limits.cases:
            most = f"changes of {before:,} of {limits.cases:,} cases within {per}"
            yield f"{have} {most}, and this undo has {cases - before:,} more"

    def _add(self, charge: UndoCharge, now: datetime) -> None:
        kept = [
            one
            for one in self._undos
            if (one.person, one.digest) != (charge.person, charge.digest) and now - one.at < LONGEST
        ]
        self._undos = [*kept, _undo_of(charge, now)]
        while self._is_full():
            self.forgotten = self._undos.pop(0).at

    def _is_full(self) -> bool:
        cases = sum(len(one.cases) for one in self._undos)
        return len(self._undos) > MOST_UNDOS or cases > MOST_CASES


def _undo_of(charge: UndoCharge, now: datetime) -> _Undo:
    return _Undo(charge.person, charge.digest, now, charge.changes, charge.more, charge.cases)


def _count_cases(undos: Sequence[_Undo]) -> int:
    """Count different cases, as far as they are known by their hashes."""
    return len({case for one in undos for case in one.cases}) + sum(one.more for one in undos)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
