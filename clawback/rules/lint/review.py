"""What a rule set that loads can still get wrong.

Parts that never count, rules in each other's way, exceptions that have ended.

The loader refuses what cannot be used; this finds what can be used but cannot be meant. `clawback
rules check` says both. Rules are compared with each other only once every one of them loads.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from clawback.model.events import EventKind
from clawback.rules.engine.builder import build_set
from clawback.rules.engine.ruleset import RuleSet
from clawback.rules.lint.channels import Channels, check_channels
from clawback.rules.lint.conflicts import check_conflicts
from clawback.rules.lint.satisfiability import can_hold
from clawback.rules.loader import read_folder, uncollected, utc_today
from clawback.rules.source.condition import And, Named, Node, Not, Or, walk
from clawback.rules.source.errors import Code, Place, Problem, Problems, RuleErrors, Severity
from clawback.rules.source.loaded import Loaded, LoadedFilter, LoadedRule
from clawback.rules.source.yaml_reader import Document

_NOT_SELECTIONS = frozenset({"condition", "rules", "timeframe"})


def load_reviewed(
    folder: Path, channels: Channels | None = None, today: Callable[[], date] = utc_today
) -> RuleSet:
    """Load all rules of a folder as a worker must.

    What `clawback rules check` calls an error is refused, and channels that are not there.

    Without `channels` nobody knows which there are, and none is refused.

    Raises:
        RuleErrors: anything is wrong with any file, or can be used but never be meant; all problems
            at once.

    """
    with uncollected():
        loaded = read_folder(folder)
        if channels is not None:
            check_channels(loaded, channels, loaded.problems)
        loaded.problems.raise_if_any()
        if errors := [
            problem for problem in review_rules(loaded, today) if problem.severity is Severity.ERROR
        ]:
            raise RuleErrors(errors)
        rules = build_set(loaded, today)
        rules.prepare()
        return rules


def review_rules(loaded: Loaded, today: Callable[[], date] = utc_today) -> tuple[Problem, ...]:
    """Give every problem of a folder that was read, those of the loader and those that only show on a second look, in file order."""
    found = Problems()
    for rule in loaded.rules:
        if rule.tree is not None and rule.kind is not None:
            _Condition(rule.document, "detection", rule.kind, found).check(
                rule.tree, rule.selections
            )
    for one in loaded.filters:
        selections = tuple(name for name in one.read.filter if name not in _NOT_SELECTIONS)
        _Condition(one.document, "filter", one.read.logsource.category, found).check(
            one.tree, selections
        )
        _check_expiry(one, found, today())
    if not len(loaded.problems):
        places = {rule.read.name: _place_of(rule) for rule in loaded.rules}
        check_conflicts(build_set(loaded, today), places, found)
    return tuple(sorted({*loaded.problems, *found}))


def _place_of(rule: LoadedRule) -> Place:
    return rule.document.key_at("detection" if rule.correlation is None else "correlation")


def _check_expiry(one: LoadedFilter, found: Problems, today: date) -> None:
    expires = one.read.expires
    if expires is not None and today > expires:
        place = one.document.value_at("expires")
        remedy = f"ask {one.read.owner}: extend it, or remove the exception"
        message = (
            f"the exception {one.read.name} of {one.read.owner} has expired and no longer applies"
        )
        found.add(
            place, Code.EXPIRED, message, text=expires, remedy=remedy, severity=Severity.WARNING
        )


class _Condition:
    """The condition of one document: whether each part of it can count."""

    def __init__(self, document: Document, key: str, kind: EventKind, found: Problems) -> None:
        self._document = document
        self._key = key
        self._kind = kind
        self._found = found

    def check(self, tree: Node, selections: tuple[str, ...]) -> None:
        """Say which selections are never used, and what can never, or only, be true."""
        used = {one.name for one in walk(tree) if isinstance(one, Named)}
        for name in selections:
            if name not in used:
                self._warn(
                    Code.UNUSED,
                    "the condition never uses this selection",
                    name,
                    "add it to the condition, or remove it",
                )
        place = self._document.value_at(self._key, "condition")
        outcome = can_hold(self._kind, (tree, True))
        if not outcome.possible:
            self._refuse(
                place,
                "the condition can never be true",
                outcome.why,
                "change the selections so that an event can match them",
            )
        elif not can_hold(self._kind, (tree, False)).possible:
            self._refuse(
                place,
                "the condition is always true",
                "",
                "ask for something that not every event has",
            )
        else:
            self._check_parts(tree)

    def _refuse(self, place: Place, message: str, why: str, remedy: str) -> None:
        told = {
            "detection": "",
            "filter": "; such an exception "
            + ("excepts every event" if why else "excepts nothing"),
        }[self._key]
        message += f": {why}" if why else ""
        condition = self._document.data[self._key].get("condition", "")
        self._found.add(place, Code.UNREACHABLE, message + told, text=condition, remedy=remedy)

    def _check_parts(self, tree: Node) -> None:
        """Check each part of a condition that as a whole is well."""
        for node in {node.name: node for node in _selections_in(tree)}.values():
            outcome = can_hold(self._kind, (node, True))
            if not outcome.possible:
                self._warn(
                    Code.UNREACHABLE,
                    f"the selection can never be true: {outcome.why}",
                    node.name,
                    "change it, or remove it",
                )
            elif not can_hold(self._kind, (node, False)).possible:
                self._warn(
                    Code.UNREACHABLE,
                    "the selection is always true",
                    node.name,
                    "ask for something that not every event has",
                )
            elif not self._asks_list(node.name) and (why := self._idle(tree, node)):
                self._warn(
                    Code.UNREACHABLE,
                    f"the selection makes no difference: {why}",
                    node.name,
                    "change it, or remove it",
                )

    def _asks_list(self, name: str) -> bool:
        """Whether a selection depends on a list.

        What it comes to changes with the list, which may be a placeholder.
        """
        selection = self._document.data[self._key][name]
        return any(
            "|expand" in key
            for item in (selection if isinstance(selection, list) else [selection])
            for key in item
        )

    def _idle(self, tree: Node, node: Named) -> str:
        """Say why a condition would be the same if a selection were never true.

        Empty where it would not.
        """
        without = _without(tree, node.name)
        lost = can_hold(self._kind, (tree, True), (without, False))
        gained = can_hold(self._kind, (without, True), (tree, False))
        together = can_hold(self._kind, (without, True), (node, True))
        return "" if lost.possible or gained.possible else together.why or "the others decide alone"

    def _warn(self, code: Code, message: str, name: str, remedy: str) -> None:
        place = self._document.key_at(self._key, name)
        self._found.add(place, code, message, text=name, remedy=remedy, severity=Severity.WARNING)


def _selections_in(node: Node) -> Iterator[Named]:
    match node:
        case Named():
            yield node
        case Not():
            yield from _selections_in(node.child)
        case And() | Or():
            for child in node.children:
                yield from _selections_in(child)
        case _:
            return


def _without(node: Node, name: str) -> Node:
    """The same condition with a selection that is never true."""
    match node:
        case Named():
            return Or(()) if node.name == name else node
        case Not():
            return Not(_without(node.child, name))
        case And() | Or():
            return replace(node, children=tuple(_without(child, name) for child in node.children))
        case _:
            return node
