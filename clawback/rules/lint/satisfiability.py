"""Decides whether conditions are satisfiable, tautological, or imply one another.

The method is a tableau, closed field by field.

Sound but not complete: what is called impossible is; a condition too large to decide counts as
possible. Only `rules check` and the checks at load use it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from clawback.model.events import SOURCES, Enrichment, EventKind
from clawback.rules.engine.compiler import compile_node
from clawback.rules.lint.value_domains import find_values
from clawback.rules.source.condition import And, ExpiredAfter, Leaf, Named, Node, Not, Or
from clawback.rules.source.field_catalogue import find_field

_MOST_STEPS = 20_000
_MOST_CLOSED = 400
_MOST_TESTS = 3

Goal = tuple[Node, bool]
"""A node, and whether it shall be true or false."""


@dataclass(frozen=True, slots=True)
class Satisfiability:
    """Whether all goals can be true at once.

    If not, `why` is the first contradiction. If so, `record` is an event that proves it, if one was
    found.
    """

    is_possible: bool
    why: str = ""
    record: Mapping[str, Any] | None = None


def can_hold(kind: EventKind, *goals: Goal, today: date = date.min) -> Satisfiability:
    """Decide whether any event of a kind meets all goals; by default no exception has expired."""
    tableau = _Tableau(kind, goals, today)
    for branch in tableau.branches():
        result = tableau.close(branch)
        if result is not None:
            return result
    return Satisfiability(is_possible=False, why=tableau.why)


def implies(kind: EventKind, one: Node, other: Node, today: date = date.min) -> bool:
    """Whether every event that makes one condition true also makes the other true."""
    return not can_hold(kind, (one, True), (other, False), today=today).is_possible


class _Tableau:
    def __init__(self, kind: EventKind, goals: Sequence[Goal], today: date) -> None:
        self.why = ""
        self._today = today
        self._kind = kind
        self._goals = goals
        self._steps = 0
        self._closed = 0

    def branches(self) -> Iterator[list[Goal]]:
        """Give the branches: each a list of leaves that must be true or false together.

        A tableau that grows too large ends with an empty branch, which cannot be closed.
        """
        pending: list[tuple[list[Goal], list[Goal]]] = [(list(reversed(self._goals)), [])]
        while pending:
            goals, literals = pending.pop()
            while goals:
                self._steps += 1
                node, wanted = goals.pop()
                expansion = _expand(node, wanted=wanted)
                if expansion is None:
                    literals.append((node, wanted))
                elif isinstance(expansion, tuple):
                    goals.extend(reversed(expansion))
                else:
                    pending.extend(([*goals, one], list(literals)) for one in reversed(expansion))
                    break
            else:
                # No alternative has split the branch: only leaves are left.
                yield literals

            if self._steps > _MOST_STEPS or self._closed > _MOST_CLOSED:
                yield []
                return

    def close(self, literals: list[Goal]) -> Satisfiability | None:
        """Give None if a branch contradicts itself, else that its goals are possible."""
        for node, wanted in literals:
            if isinstance(node, ExpiredAfter) and (self._today > node.last) is not wanted:
                return None

        chosen: dict[str, Any] = {}
        for name, (true, false) in _by_field(literals).items():
            field = find_field(self._kind, name)
            if field is None:
                chosen[name] = None
                continue

            domain = find_values(field, true, false)
            if domain.is_impossible:
                self.why = self.why or _render_contradiction(name, true, false)
                self._closed += 1
                return None

            chosen[name] = domain.values if field.many else next(iter(domain.values or ()), None)

        return Satisfiability(is_possible=True, record=self._verify(chosen))

    def _verify(self, chosen: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Give the record of the chosen values if it meets all goals."""
        record = _nest(self._kind, chosen)
        is_proof = all(
            compile_node(node, lambda: self._today)(record) is wanted
            for node, wanted in self._goals
        )
        return record if is_proof else None


def _expand(node: Node, *, wanted: bool) -> tuple[Goal, ...] | list[Goal] | None:
    """Expand a goal: a tuple of goals to meet all of, a list to meet any of, or None for a leaf."""
    match node:
        case Named() | Not():
            return ((node.child, wanted is isinstance(node, Named)),)
        case And() | Or():
            parts = [(child, wanted) for child in node.children]
            return tuple(parts) if isinstance(node, And) is wanted else parts
        case _:
            return None


def _by_field(literals: Sequence[Goal]) -> Mapping[str, tuple[list[Leaf], list[Leaf]]]:
    """Group leaves by field, those that must be true and those that must be false."""
    found: dict[str, tuple[list[Leaf], list[Leaf]]] = defaultdict(lambda: ([], []))
    for node, wanted in literals:
        if isinstance(node, Leaf):
            found[node.field][0 if wanted else 1].append(node)
    return found


def _render_contradiction(name: str, true: Sequence[Leaf], false: Sequence[Leaf]) -> str:
    tests = [_render_leaf(leaf, "") for leaf in true] + [
        _render_leaf(leaf, "not ") for leaf in false
    ]
    return f"{name} cannot be {' and '.join(dict.fromkeys(tests))} at once"


def _render_leaf(leaf: Leaf, negation: str) -> str:
    tests = [str(test) or "''" for test in leaf.tests[:_MOST_TESTS]]
    if len(leaf.tests) > _MOST_TESTS:
        tests.append("…")
    text = " or ".join(tests)
    return f"{negation}{text}" if len(tests) == 1 else f"{negation}({text})"


def _nest(kind: EventKind, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Build a record from values by dotted name; it always has the enrichments."""
    record: dict[str, Any] = {}
    # Parents first, so that values go into the objects that they belong to.
    for name in sorted(chosen, key=lambda name: name.count(".")):
        value = chosen[name]
        if value not in (None, (), []):
            _put(record, name.split("."), list(value) if isinstance(value, tuple) else value)

    is_joined = SOURCES[kind].is_joined
    message = record.get("message") if is_joined else None
    for enrichment in Enrichment:
        record.setdefault(enrichment.value, {})
        if isinstance(message, dict):
            message.setdefault(enrichment.value, {})

    return record


def _put(record: dict[str, Any], path: list[str], value: Any) -> None:
    for step in path[:-1]:
        inner = record.get(step)
        record[step] = inner = inner if isinstance(inner, dict) else {}
        record = inner
    if not isinstance(record.get(path[-1]), dict):
        record[path[-1]] = value
