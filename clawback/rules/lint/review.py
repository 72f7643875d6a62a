"""Finds mistakes in rules that load: unreachable parts, conflicts, forgeable patterns and more.

The loader refuses what cannot work; this finds what works but cannot be meant. `clawback rules
check` reports both. Rules are compared with each other only if all of them load.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime

from clawback.model.events import EventKind
from clawback.model.suggestions import did_you_mean
from clawback.rules.engine.builder import build_set
from clawback.rules.lint.allowance import check_allowance
from clawback.rules.lint.conflicts import check_conflicts
from clawback.rules.lint.forgeable import check_forgeable_patterns
from clawback.rules.lint.missing_groups import check_missing_groups
from clawback.rules.lint.satisfiability import can_hold
from clawback.rules.lint.while_held import check_while_held
from clawback.rules.source.condition import (
    Named,
    Node,
    Or,
    children_of,
    replace_children,
    walk,
)
from clawback.rules.source.errors import Code, Place, Problem, Problems, Severity
from clawback.rules.source.field_catalogue import DELIVERY_MODES
from clawback.rules.source.loaded import Loaded, LoadedFilter, LoadedRule
from clawback.rules.source.safety_file import SAFETY
from clawback.rules.source.yaml_reader import Document

_NOT_SELECTIONS = frozenset({"condition", "rules", "timeframe"})


def utc_today() -> date:
    """Give the current day in UTC."""
    return datetime.now(UTC).date()


def review_rules(loaded: Loaded, today: Callable[[], date] = utc_today) -> tuple[Problem, ...]:
    """Give all problems of a folder in file order: those of the loader, and those found here."""
    found = Problems()
    for rule in loaded.rules:
        if rule.tree is not None and rule.kind is not None:
            reachability = _Reachability(rule.document, "detection", rule.kind, found)
            reachability.check(rule.tree, rule.selections)

    for one in loaded.filters:
        selections = tuple(name for name in one.read.filter if name not in _NOT_SELECTIONS)
        kind = one.read.logsource.category
        _Reachability(one.document, "filter", kind, found).check(one.tree, selections)
        _check_expiry(one, found, today())

    check_allowance(loaded, found)
    _check_delivery_modes(loaded, found)
    check_while_held(loaded, found)
    if not len(loaded.problems):
        _check_emptiness(loaded, found)
        rules = build_set(loaded, today)
        check_conflicts(rules, {one.read.name: _place_of(one) for one in loaded.rules}, found)
        responses = {one.read.name: one.document.key_at("response") for one in loaded.rules}
        check_forgeable_patterns(rules, responses, found)
        groups = {
            one.read.name: one.document.key_at("correlation", "group-by") for one in loaded.rules
        }
        check_missing_groups(rules, groups, found)

    return tuple(sorted({*loaded.problems, *loaded.warnings, *found}))


def _check_emptiness(loaded: Loaded, found: Problems) -> None:
    """Refuse a folder without rules: its files are elsewhere, or were not mounted."""
    if not loaded.rules:
        found.add(
            Place(str(loaded.folder)),
            Code.NO_RULES,
            "the folder has no rules",
            remedy="check that it is the right folder and that its files are there",
        )


def _check_delivery_modes(loaded: Loaded, found: Problems) -> None:
    for mode in sorted(loaded.safety.ignored_delivery_modes - set(DELIVERY_MODES)):
        found.add(
            Place(SAFETY),
            Code.UNKNOWN_VALUE,
            "no known delivery mode has this name",
            text=mode,
            remedy=did_you_mean(mode, DELIVERY_MODES),
            severity=Severity.WARNING,
        )


def _place_of(rule: LoadedRule) -> Place:
    return rule.document.key_at("detection" if rule.correlation is None else "correlation")


def _check_expiry(one: LoadedFilter, found: Problems, today: date) -> None:
    expires, name, owner = one.read.expires, one.read.name, one.read.owner
    if expires is not None and today > expires:
        found.add(
            one.document.value_at("expires"),
            Code.EXPIRED,
            f"the exception {name} of {owner} has expired and no longer applies",
            text=expires,
            remedy=f"ask {owner}: extend it, or remove the exception",
            severity=Severity.WARNING,
        )


class _Reachability:
    """Checks whether each part of the condition of one document can make a difference."""

    def __init__(self, document: Document, key: str, kind: EventKind, found: Problems) -> None:
        self._document = document
        self._key = key
        self._kind = kind
        self._found = found

    def check(self, tree: Node, selections: tuple[str, ...]) -> None:
        """Report unused selections, and what can never, or only, be true."""
        used = {one.name for one in walk(tree) if isinstance(one, Named)}
        for name in selections:
            if name not in used:
                message = "the condition does not use this selection"
                self._warn(Code.UNUSED, message, name, "add it to the condition, or remove it")

        can_be_true = can_hold(self._kind, (tree, True))
        if not can_be_true.is_possible:
            message = f"the condition can never be true: {can_be_true.why}"
            effect = "; this exception excludes every event"
            self._refuse(message, effect, "change the selections so that an event can match")
        elif not can_hold(self._kind, (tree, False)).is_possible:
            effect = "; this exception excludes nothing"
            remedy = "test for something that not every event has"
            self._refuse("the condition is always true", effect, remedy)
        else:
            self._check_selections(tree)

    def _refuse(self, message: str, effect: str, remedy: str) -> None:
        self._found.add(
            self._document.value_at(self._key, "condition"),
            Code.UNREACHABLE,
            message + (effect if self._key == "filter" else ""),
            text=self._document.data[self._key].get("condition", ""),
            remedy=remedy,
        )

    def _check_selections(self, tree: Node) -> None:
        """Check each selection of a condition that can be true and false as a whole."""
        selections = {one.name: one for one in walk(tree) if isinstance(one, Named)}
        for name, selection in selections.items():
            can_be_true = can_hold(self._kind, (selection, True))
            if not can_be_true.is_possible:
                message = f"the selection can never be true: {can_be_true.why}"
                self._warn(Code.UNREACHABLE, message, name, "change it, or remove it")
            elif not can_hold(self._kind, (selection, False)).is_possible:
                remedy = "test for something that not every event has"
                self._warn(Code.UNREACHABLE, "the selection is always true", name, remedy)
            elif not self._uses_list(name) and (why := self._why_irrelevant(tree, selection)):
                message = f"the selection makes no difference: {why}"
                self._warn(Code.UNREACHABLE, message, name, "change it, or remove it")

    def _uses_list(self, name: str) -> bool:
        """Whether a selection depends on a list, which may be filled in later."""
        selection = self._document.data[self._key][name]
        items = selection if isinstance(selection, list) else [selection]
        return any("|expand" in key for item in items for key in item)

    def _why_irrelevant(self, tree: Node, selection: Named) -> str:
        """Say why the condition is the same if a selection is never true; empty if it is not."""
        without = _without(tree, selection.name)
        loses_events = can_hold(self._kind, (tree, True), (without, False)).is_possible
        gains_events = can_hold(self._kind, (without, True), (tree, False)).is_possible
        if loses_events or gains_events:
            return ""

        together = can_hold(self._kind, (without, True), (selection, True))
        return together.why or "the other selections decide alone"

    def _warn(self, code: Code, message: str, name: str, remedy: str) -> None:
        place = self._document.key_at(self._key, name)
        self._found.add(place, code, message, text=name, remedy=remedy, severity=Severity.WARNING)


def _without(node: Node, name: str) -> Node:
    """Give the same condition with a selection that is never true."""
    if isinstance(node, Named):
        return Or(()) if node.name == name else node
    return replace_children(node, tuple(_without(child, name) for child in children_of(node)))
