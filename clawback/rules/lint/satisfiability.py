"""Whether conditions can hold at all, always hold, or follow from one another.

A tableau over the tree, field by field.

Sound, not complete: what is called impossible or implied is so; a condition that is too large to
decide counts as possible. Loading and evaluating never need this; `rules check` does.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from clawback.model.events import SOURCES, EventKind
from clawback.rules.engine.compiler import compile_node
from clawback.rules.lint.value_domains import value_domain
from clawback.rules.source.catalogue import ENRICHMENT, find_field
from clawback.rules.source.condition import And, ExpiredAfter, Leaf, Named, Node, Not, Or

_MOST_STEPS = 20_000
_MOST_CLOSED = 400

Goal = tuple[Node, bool]
"""A node, and whether it is to hold."""


@dataclass(frozen=True, slots=True)
class Satisfiability:
    """Whether all goals can hold at once.

    If not, `why` is the first contradiction; if so, `record` is an event that shows it, if found.
    """

    possible: bool
    why: str = ""
    record: Mapping[str, Any] | None = None


def can_hold(kind: EventKind, *goals: Goal, today: date = date.min) -> Satisfiability:
    """Decide whether an event of a kind can make every goal come true.

    By default as if no exception had ended.
    """
    search = _Search(kind, goals, today)
    for literals in search.branches():
        verdict = search.close(literals)
        if verdict is not None:
            return verdict
    return Satisfiability(possible=False, why=search.why)


def implies(kind: EventKind, one: Node, other: Node, today: date = date.min) -> bool:
    """Whether every event that one condition is true of surely makes the other true."""
    return not can_hold(kind, (one, True), (other, False), today=today).possible


class _Search:
    def __init__(self, kind: EventKind, goals: Sequence[Goal], today: date) -> None:
        self.why = ""
        self._today = today
        self._kind = kind
        self._goals = goals
        self._steps = 0
        self._closed = 0

    def branches(self) -> Iterator[list[Goal]]:
        """Give the ways in which the goals can come true, each as leaves that hold or do not.

        A search that grows too large gives `[]`.
        """
        waiting: list[tuple[list[Goal], list[Goal]]] = [(list(reversed(self._goals)), [])]
        while waiting:
            goals, literals = waiting.pop()
            while goals:
                self._steps += 1
                node, holds = goals.pop()
                alternatives = _alternatives(node, holds=holds)
                if alternatives is None:
                    literals.append((node, holds))
                elif isinstance(alternatives, tuple):
                    goals.extend(reversed(alternatives))
                else:
                    waiting.extend(
                        ([*goals, one], list(literals)) for one in reversed(alternatives)
                    )
                    break
            else:
                yield literals
            if self._steps > _MOST_STEPS or self._closed > _MOST_CLOSED:
                yield []
                return

    def close(self, literals: list[Goal]) -> Satisfiability | None:
        """Judge one way: None if it contradicts itself."""
        chosen: dict[str, Any] = {}
        if any(
            (self._today > node.last) is not holds
            for node, holds in literals
            if isinstance(node, ExpiredAfter)
        ):
            return None
        for name, (wanted, unwanted) in _by_field(literals).items():
            field = find_field(self._kind, name)
            found = value_domain(field, wanted, unwanted) if field is not None else None
            if found is not None and found.impossible:
                self.why = self.why or _said(name, wanted, unwanted)
                self._closed += 1
                return None
            values = found.values if found is not None else None
            chosen[name] = (
                values if field is not None and field.many else next(iter(values or ()), None)
            )
        return Satisfiability(possible=True, record=self._proved(chosen))

    def _proved(self, chosen: Mapping[str, Any]) -> Mapping[str, Any] | None:
        record = _nested(self._kind, chosen)
        proved = all(
            compile_node(node, lambda: self._today)(record) is holds for node, holds in self._goals
        )
        return record if proved else None


def _alternatives(node: Node, *, holds: bool) -> tuple[Goal, ...] | list[Goal] | None:
    """Take a goal apart: into goals that all must come true (a tuple), one of which must (a list), or not at all."""
    match node:
        case Named() | Not():
            return ((node.child, holds is isinstance(node, Named)),)
        case And() | Or():
            parts = [(child, holds) for child in node.children]
            return tuple(parts) if isinstance(node, And) is holds else parts
        case _:
            return None


def _by_field(literals: Sequence[Goal]) -> Mapping[str, tuple[list[Leaf], list[Leaf]]]:
    found: dict[str, tuple[list[Leaf], list[Leaf]]] = defaultdict(lambda: ([], []))
    for node, holds in literals:
        if isinstance(node, Leaf):
            found[node.field][0 if holds else 1].append(node)
    return found


def _said(name: str, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> str:
    asked = [_asked(leaf, "") for leaf in wanted] + [_asked(leaf, "not ") for leaf in unwanted]
    return f"{name} cannot be {' and '.join(dict.fromkeys(asked))} at once"


def _asked(leaf: Leaf, negation: str) -> str:
    shown = [str(test) or "''" for test in leaf.tests[:3]] + (
        ["…"] if len(leaf.tests) > len(leaf.tests[:3]) else []
    )
    return (
        f"{negation}{' or '.join(shown)}"
        if len(shown) == 1
        else f"{negation}({' or '.join(shown)})"
    )


def _nested(kind: EventKind, chosen: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name in sorted(chosen, key=lambda name: name.count(".")):
        value = chosen[name]
        if value not in (None, (), []):
            _put(record, name.split("."), list(value) if isinstance(value, tuple) else value)
    record.setdefault(ENRICHMENT, {})
    if SOURCES[kind].is_joined and isinstance(message := record.get("message"), dict):
        message.setdefault(ENRICHMENT, {})
    return record


def _put(record: dict[str, Any], path: list[str], value: Any) -> None:
    for step in path[:-1]:
        inner = record.get(step)
        record[step] = inner = inner if isinstance(inner, dict) else {}
        record = inner
    if not isinstance(record.get(path[-1]), dict):
        record[path[-1]] = value
