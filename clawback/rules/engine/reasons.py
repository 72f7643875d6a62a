"""Why a rule is true of an event, in a few short lines: what a case keeps of its explanation."""

from collections.abc import Iterable, Iterator

from clawback.model.texts import bounded, printable
from clawback.rules.engine.explanation import EXCEPTION, Explanation

_MOST = 10
_LONGEST = 200
_FEW = 3


def reasons_of(explanations: Iterable[Explanation]) -> tuple[str, ...]:
    """Give the leaves that made the trees true, each with what was there.

    Exceptions that did not apply are left out.
    """
    found = dict.fromkeys(line for one in explanations for line in _decisive(one, negated=False))
    return tuple(found)[:_MOST]


def _decisive(one: Explanation, *, negated: bool) -> Iterator[str]:
    if one.label.startswith(EXCEPTION):
        return
    if one.field is not None:
        yield _worded(one, negated=negated)
        return
    turns = one.label == "not"
    for child in one.children:
        if turns or child.outcome is one.outcome:
            yield from _decisive(child, negated=negated is not turns)


def _worded(leaf: Explanation, *, negated: bool) -> str:
    expected = leaf.held or leaf.expected
    said = f"{'not ' if negated else ''}{leaf.field} {leaf.label} {_listed(expected)}".rstrip()
    there = _listed([_actual(value) for value in leaf.actual])
    return bounded(f"{said} ← {there}", _LONGEST)


def _listed(values: Iterable[str]) -> str:
    every = list(values)
    return ", ".join(every[:_FEW]) + (f" and {len(every) - _FEW} more" if len(every) > _FEW else "")


def _actual(value: object) -> str:
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return printable(text)
