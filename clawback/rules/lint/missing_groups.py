"""Warns of correlations that group by a field which their events need not have.

An event without it counts for no group, so the correlation may miss what its author meant to count.
"""

from collections.abc import Mapping
from datetime import date

from clawback.model.events import EventKind
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.lint.satisfiability import can_hold
from clawback.rules.source.condition import Leaf, Node, Null
from clawback.rules.source.errors import Code, Place, Problems, Severity
from clawback.rules.source.field_catalogue import find_field

_ALWAYS_THERE: Mapping[EventKind, frozenset[str]] = {
    EventKind.MESSAGE: frozenset({"id", "scanned_at", "from", "final_disposition"}),
    EventKind.PHISHGUARD_REPORT: frozenset({"id", "created_at"}),
    EventKind.SUBMISSION: frozenset({"submission_id", "requested_at"}),
}
"""Fields that the API leaves out only of damaged records."""


def check_missing_groups(rules: RuleSet, places: Mapping[str, Place], found: Problems) -> None:
    """Warn of each group-by field once for each rule below; `places` says where to report it."""
    for rule in rules.rules.values():
        for name in rule.correlation.group_by if rule.correlation is not None else ():
            for leaf, field in rules.sources_of(rule, name):
                if _may_lack(leaf, field):
                    _warn(found, places[rule.name], name, leaf, field)


def _may_lack(leaf: Rule, field: str) -> bool:
    kind = leaf.kinds[0]
    if leaf.tree is None:
        return False

    known = find_field(kind, field)
    sources = known.sources if known is not None else ()
    # A field that follows from a single other one lacks only where that one is missing or damaged.
    names = (field, *sources) if len(sources) == 1 else (field,)
    return all(_may_be_null(leaf.tree, kind, name) for name in names)


def _may_be_null(tree: Node, kind: EventKind, field: str) -> bool:
    # Exceptions count as expired: each may expire while the rules are loaded.
    missing = Leaf(field, (Null(),))
    return (
        field not in _ALWAYS_THERE[kind]
        and can_hold(kind, (tree, True), (missing, True), today=date.max).is_possible
    )


def _warn(found: Problems, place: Place, name: str, leaf: Rule, field: str) -> None:
    found.add(
        place,
        Code.NO_GROUP,
        f"events of {leaf.name} may have no {field}; such an event is not counted",
        text=name,
        remedy=f"require `{field}|exists: true` in {leaf.name}, or group by another field",
        severity=Severity.WARNING,
    )
