"""Aggregates a backtest by rule, day, sender and campaign, and compares two versions. Data only."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from clawback.actions import BudgetKind
from clawback.backtest.budgets import count_held
from clawback.backtest.match_list import Reviewed, RuleMatches, list_matches
from clawback.backtest.replay import Backtest, ReplayedMatch, Traffic
from clawback.backtest.simulated_cases import SimulatedCase, simulate_cases
from clawback.cases import Limit
from clawback.model.events import Enrichment
from clawback.model.mode import Mode
from clawback.model.notations import canonical_address
from clawback.rules import Rule, RuleSet
from clawback.rules.engine.compiler import enrichments_of


@dataclass
class RuleResult:
    """What one rule did.

    `matches` are distinct events of cases that responded, `watched` those of all cases: they differ
    for correlations, where a case responds only at a threshold. `peaks` are the busiest windows,
    one for each message limit. `held` counts what the guard would have held, by cause. `not_asked`
    says what the history lacks, if that is why nothing matched, such as `no submissions`.
    """

    rule: str
    mode: Mode
    matches: int = 0
    watched: int = 0
    cases: int = 0
    responses: int = 0
    messages: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    peaks: list["Peak"] = field(default_factory=list)
    not_asked: str = ""
    before: int | None = None
    new: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Peak:
    """The most messages of a rule in one window of a limit; above it, cases would be held."""

    allowed: int
    per: timedelta
    most: int

    @property
    def over(self) -> bool:
        """Whether the limit would have been exceeded."""
        return self.most > self.allowed


@dataclass(frozen=True)
class Sender:
    """A sender, how many of its events matched, and how many of its messages would be moved."""

    sender: str
    matches: int
    moved: int


@dataclass(frozen=True)
class Campaign:
    """One of the largest cases."""

    rule: str
    group: Mapping[str, str | None]
    events: int
    messages: int
    senders: int
    subject: str
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Change:
    """A match that only one of two versions has."""

    rule: str
    event: str
    at: datetime
    sender: str
    subject: str


@dataclass
class Result:
    """The result of a backtest.

    `against` is None without a second version; `new` and `lost` are all changed matches.
    `matches` lists every match by rule, without those that people have reviewed.
    `moved` counts distinct messages that rules in enforce or approve would move,
    `moved_with_shadow` those of all rules.
    """

    version: str
    against: str | None
    traffic: Traffic
    first: date | None
    last: date | None
    matched: int
    moved: int
    moved_with_shadow: int
    rules: list[RuleResult]
    matches_by_day: Counter[date]
    actions_by_day: dict[str, Counter[date]]
    senders: list[Sender]
    campaigns: list[Campaign]
    matches: list[RuleMatches] = field(default_factory=list)
    new: list[Change] = field(default_factory=list)
    lost: list[Change] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of delivered messages that would be moved, 0 to 1, without shadow rules."""
        return self.moved / self.traffic.delivered if self.traffic.delivered else 0.0

    @property
    def share_with_shadow(self) -> float:
        """The same, if rules in shadow acted too."""
        return self.moved_with_shadow / self.traffic.delivered if self.traffic.delivered else 0.0

    @property
    def days(self) -> int:
        """Days from the first event to the last, both included."""
        return (self.last - self.first).days + 1 if self.first and self.last else 0

    def actions(self, *, shadow: bool) -> Counter[str]:
        """Counts of actions by name, of the rules in shadow or of all others."""
        return sum(
            (rule.actions for rule in self.rules if (rule.mode is Mode.SHADOW) is shadow),
            Counter[str](),
        )


def summarize(backtest: Backtest, *, top: int = 10, reviewed: Reviewed | None = None) -> Result:
    """Aggregate the first version of a backtest, and compare it with the second if there is one.

    `top` is how many senders and campaigns it names; `reviewed` are matches that it does not list.
    """
    backtest.finish()
    version, *others = backtest.versions
    cases = list(simulate_cases(version))
    days = backtest.traffic.days
    seen = [one for case in cases if case.responds_at for one in case.matches]
    moved = {done.target for case in cases for done in case.done if done.target}
    acting = {
        done.target
        for case in cases
        for done in case.done
        if done.target and case.plan.mode is not Mode.SHADOW
    }
    result = Result(
        version=version.rules.version,
        against=others[0].rules.version if others else None,
        traffic=backtest.traffic,
        first=min(days, default=None),
        last=max(days, default=None),
        matched=len({one.key for one in seen}),
        moved=len(acting),
        moved_with_shadow=len(moved),
        rules=_rules(version.rules, cases, backtest.traffic),
        matches_by_day=Counter({one.key: one.at.date() for one in seen}.values()),
        actions_by_day=_actions_by_day(cases),
        senders=_senders(seen, moved, top),
        campaigns=_campaigns(cases, top),
        matches=list_matches(cases, reviewed or {}),
    )

    if others:
        _compare(result, _matches(cases), _matches(list(simulate_cases(others[0]))))

    return result


def _rules(rules: RuleSet, cases: Iterable[SimulatedCase], traffic: Traffic) -> list[RuleResult]:
    by_rule: dict[str, list[SimulatedCase]] = defaultdict(list)
    for case in cases:
        by_rule[case.plan.rule].append(case)

    results = [
        _rule(name, mode, by_rule[name])
        for name, rule in rules.rules.items()
        if (mode := rules.mode_of(rule)) is not None
    ]
    held = count_held(
        (case for some in by_rule.values() for case in some), rules.safety.budgets.budgets
    )
    for one in results:
        one.held = held.get(one.rule, Counter())
        if not one.watched:
            one.not_asked = _lacking(rules, rules.rules[one.rule], traffic)

    return results


def _lacking(rules: RuleSet, rule: Rule, traffic: Traffic) -> str:
    """Say what a history lacks for a rule to match anything; empty if it lacks nothing."""
    leaves = [rules.rules[name] for name in rules.leaves(rule)]
    kinds = sorted({kind for leaf in leaves for kind in leaf.kinds})
    if not any(traffic.kinds[kind] for kind in kinds):
        return " and ".join(f"no {kind.replace('_', ' ')}s" for kind in kinds)

    asked = (enrichments_of(leaf.tree) for leaf in leaves if leaf.tree is not None)
    needs_detections = any(Enrichment.DETECTIONS in one for one in asked)
    return "no detections" if needs_detections and not traffic.enriched else ""


def _rule(name: str, mode: Mode, cases: Sequence[SimulatedCase]) -> RuleResult:
    responding = [case for case in cases if case.responds_at is not None]
    done = [one for case in cases for one in case.done]
    touched: dict[str, datetime] = {}

    for one in done:
        if one.target:
            touched[one.target] = min(one.at, touched.get(one.target, one.at))

    return RuleResult(
        rule=name,
        mode=mode,
        matches=len({one.key for case in responding for one in case.matches}),
        watched=len({one.key for case in cases for one in case.matches}),
        cases=len(cases),
        responses=len(responding),
        messages=len(touched),
        actions=Counter(one.action for one in done),
        refused=sum((case.refused for case in cases), Counter[str]()),
        peaks=_peaks(cases[0].plan.limits, sorted(touched.values())) if cases else [],
    )


def _peaks(limits: Iterable[Limit], moments: Sequence[datetime]) -> list[Peak]:
    return [
        Peak(limit.most, limit.per, _most_in(moments, limit.per))
        for limit in limits
        if limit.kind is BudgetKind.MESSAGES
    ]


def _most_in(moments: Sequence[datetime], window: timedelta) -> int:
    most, start = 0, 0
    for end, moment in enumerate(moments):
        while moment - moments[start] > window:
            start += 1
        most = max(most, end - start + 1)
    return most


def _actions_by_day(cases: Iterable[SimulatedCase]) -> dict[str, Counter[date]]:
    by_day: dict[str, Counter[date]] = {}
    for case in cases:
        for done in case.done:
            by_day.setdefault(done.action, Counter())[done.at.date()] += 1
    return by_day


def _senders(seen: Iterable[ReplayedMatch], moved: set[str], top: int) -> list[Sender]:
    keys: dict[str, set[str]] = defaultdict(set)
    targets: dict[str, set[str]] = defaultdict(set)
    for one in seen:
        keys[canonical_address(one.sender)].add(one.key)
        targets[canonical_address(one.sender)].update(
            target.id for target in one.targets if target.id in moved
        )

    ranked = sorted(keys, key=lambda sender: (-len(targets[sender]), -len(keys[sender]), sender))
    return [Sender(sender, len(keys[sender]), len(targets[sender])) for sender in ranked[:top]]


def _campaigns(cases: Iterable[SimulatedCase], top: int) -> list[Campaign]:
    responding = [case for case in cases if case.responds_at is not None]
    largest = sorted(responding, key=lambda case: (-len(case.messages), case.id))[:top]
    return [
        Campaign(
            rule=case.plan.rule,
            group={name: value for name, value in case.group.items() if name != "event"},
            events=len({one.key for one in case.matches}),
            messages=len(case.messages),
            senders=len({canonical_address(one.sender) for one in case.matches}),
            subject=case.matches[0].subject,
            first=case.matches[0].at,
            last=case.matches[-1].at,
        )
        for case in largest
    ]


def _matches(cases: Iterable[SimulatedCase]) -> dict[tuple[str, str], ReplayedMatch]:
    return {
        (case.plan.rule, one.key): one for case in cases if case.responds_at for one in case.matches
    }


def _compare(
    result: Result,
    now: Mapping[tuple[str, str], ReplayedMatch],
    before: Mapping[tuple[str, str], ReplayedMatch],
) -> None:
    counted = {
        "before": Counter(rule for rule, _ in before),
        "new": Counter[str](),
        "lost": Counter[str](),
    }
    new, lost = now.keys() - before.keys(), before.keys() - now.keys()
    counted["new"], counted["lost"] = (
        Counter(rule for rule, _ in new),
        Counter(rule for rule, _ in lost),
    )
    known = {rule.rule for rule in result.rules}
    gone = sorted(counted["before"].keys() - known)
    result.rules += [RuleResult(rule, Mode.SHADOW) for rule in gone]

    for rule in result.rules:
        rule.before, rule.new, rule.lost = (
            counted[what][rule.rule] for what in ("before", "new", "lost")
        )

    result.new, result.lost = list(_changes(new, now)), list(_changes(lost, before))


def _changes(
    keys: Iterable[tuple[str, str]], found: Mapping[tuple[str, str], ReplayedMatch]
) -> Iterator[Change]:
    for rule, key in sorted(keys, key=lambda pair: (found[pair].at, pair)):
        one = found[rule, key]
        yield Change(rule, key, one.at, one.sender, one.subject)
