"""Compares two versions of rules: what changed, and what that changes over a history. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from clawback.backtest.match_list import ListedMatch, list_matches
from clawback.backtest.replay import Version
from clawback.backtest.simulated_cases import SimulatedCase, simulate_cases
from clawback.rules import Rule, RuleSet


class ChangeKind(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    AFFECTED = "affected"
    """The rule is the same, but others, lists or `safety.yml` change what it does."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What a rule did over a history in both versions; `gained` and `lost` are newest first."""

    before: int = 0
    after: int = 0
    gained: Sequence[ListedMatch] = ()
    lost: Sequence[ListedMatch] = ()
    actions_before: Mapping[str, int] = field(default_factory=dict)
    actions_after: Mapping[str, int] = field(default_factory=dict)

    @property
    def differ(self) -> bool:
        """Whether the versions did anything else."""
        return bool(self.gained or self.lost) or self.actions_before != self.actions_after


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What changed in one rule: in words, its modes, its actions as written, and its effects.

    A mode is empty where there is no rule or no response. `effects` is None without a history.
    """

    rule: str
    kind: ChangeKind
    what: tuple[str, ...] = ()
    mode_before: str = ""
    mode_after: str = ""
    actions_removed: tuple[str, ...] = ()
    actions_added: tuple[str, ...] = ()
    effects: Effects | None = None


def compare_rules(after: Version, before: Version, *, with_effects: bool) -> list[RuleChange]:
    """List the rules that differ, or whose effects do, in the order of their names."""
    effects = _effects(after, before) if with_effects else {}
    names = sorted({*after.rules.rules, *before.rules.rules})
    changes = [
        _compare(
            name, after.rules, before.rules, effects.get(name, Effects()) if with_effects else None
        )
        for name in names
    ]
    return [one for one in changes if one is not None]


def _compare(
    name: str, after: RuleSet, before: RuleSet, effects: Effects | None
) -> RuleChange | None:
    new, old = after.rules.get(name), before.rules.get(name)
    what = tuple(_parts(new, old)) if new and old else ()
    modes = _mode(before, old), _mode(after, new)
    if new is None or old is None:
        kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED
    elif what:
        kind = ChangeKind.CHANGED
    elif modes[0] != modes[1] or (effects is not None and effects.differ):
        kind = ChangeKind.AFFECTED
    else:
        return None

    written, previous = _actions(new), _actions(old)
    return RuleChange(
        rule=name,
        kind=kind,
        what=what,
        mode_before=modes[0],
        mode_after=modes[1],
        actions_removed=tuple((previous - written).elements()),
        actions_added=tuple((written - previous).elements()),
        effects=effects,
    )


def _parts(new: Rule, old: Rule) -> Iterator[str]:
    """Name the parts of a rule that differ."""
    limits = [one.response.limits if one.response else () for one in (new, old)]
    notices = [one.response.notifications if one.response else () for one in (new, old)]
    parts = {
        "condition": (new.condition_version, old.condition_version),
        "correlation": (new.correlation, old.correlation),
        "actions": (new.actions_version, old.actions_version),
        "limits": limits,
        "notifications": notices,
        "status": (new.status, old.status),
        "level": (new.level, old.level),
        "exceptions": (new.exceptions, old.exceptions),
        "tests": (new.tests, old.tests),
        "texts": (
            (new.title, new.description, new.tags, new.references, new.falsepositives),
            (old.title, old.description, old.tags, old.references, old.falsepositives),
        ),
    }
    found = [name for name, (one, other) in parts.items() if one != other]
    yield from found
    if not found and new.version != old.version:
        yield "other keys"


def _mode(rules: RuleSet, rule: Rule | None) -> str:
    return (rules.mode_of(rule) or "") if rule is not None else ""


def _actions(rule: Rule | None) -> Counter[str]:
    if rule is None or rule.response is None:
        return Counter()
    return Counter(one.describe_in_full() for one in rule.response.actions)


# ---- over a history


def _effects(after: Version, before: Version) -> dict[str, Effects]:
    cases = [list(simulate_cases(version)) for version in (after, before)]
    matches = [_matches(each) for each in cases]
    actions = [_done(each) for each in cases]
    found: dict[str, Effects] = {}

    for rule in {*matches[0], *matches[1], *actions[0], *actions[1]}:
        new, old = (each.get(rule, {}) for each in matches)
        found[rule] = Effects(
            before=len(old),
            after=len(new),
            gained=[one for key, one in new.items() if key not in old],
            lost=[one for key, one in old.items() if key not in new],
            actions_before=actions[1].get(rule, {}),
            actions_after=actions[0].get(rule, {}),
        )
    return found


def _matches(cases: Sequence[SimulatedCase]) -> dict[str, dict[str, ListedMatch]]:
    """The matches that led to a response, by rule and event, newest first."""
    return {
        found.rule: {one.match.key: one for one in found.responded}
        for found in list_matches(cases, {})
    }


def _done(cases: Sequence[SimulatedCase]) -> dict[str, Counter[str]]:
    """The actions of each rule, with the mode that they would be done in."""
    done: dict[str, Counter[str]] = {}
    for case in cases:
        for one in case.done:
            done.setdefault(case.plan.rule, Counter())[f"{one.action} ({case.plan.mode})"] += 1
    return done
