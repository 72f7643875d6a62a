"""What should happen to a corpus under a rule set. Pure.

Independent on purpose: it shares with the worker what a rule means (the rule set, the events), but
not ingest, the window search or the case. Windows are searched by brute force.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil, fsum, isfinite
from operator import ge, gt, le, lt
from statistics import fmean, median
from typing import Any

from clawback.actions import (
    Action,
    BlockSender,
    BulkMove,
    Move,
    PolicyAction,
    Reclassify,
    Release,
)
from clawback.cases.plan import CasePlan
from clawback.correlation.sliding_window import CorrelationType, CorrelationWindow, Link
from clawback.model.events import Event, EventKind, build_event, is_too_old, message_event
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules import RuleSet
from clawback.simulator import Line


class ExpectedResult(StrEnum):
    """How an action should end."""

    DONE = "done"
    HANDLED = "handled"
    """Somebody handled the message before: recorded, without an effect of ours."""
    IMPOSSIBLE = "impossible"
    """Recorded as failed."""
    SHADOWED = "shadowed"
    """Recorded as what would have been done."""
    HELD = "held"
    """Waits for a person."""


@dataclass(frozen=True)
class ExpectedAction:
    """One action of a case on one message, or on the case.

    `subjects` are the alternatives under which the audit may record it.
    """

    case: str
    rule: str
    action: Action
    subjects: frozenset[str]
    result: ExpectedResult


@dataclass
class Expectation:
    """Everything that should happen.

    Of the (case, event key) pairs to be recorded, `joined` are those of cases that open, `counted`
    those of correlations, satisfied or not. `matched` counts all of them by rule. `while_held` says
    by (case, message) where a message may be moved while its case is held.
    """

    events: int = 0
    joined: set[tuple[str, str]] = field(default_factory=set)
    counted: set[tuple[str, str]] = field(default_factory=set)
    matched: dict[str, int] = field(default_factory=dict)
    while_held: dict[tuple[str, str], Destination] = field(default_factory=dict)
    actions: list[ExpectedAction] = field(default_factory=list)

    def count_changes(self) -> int:
        """Count the ledger rows that should result. Equal changes of several cases count once."""
        moves = {
            (subject, expected.action.destination)
            for expected in self.done(Move)
            for subject in expected.subjects
        }
        releases = {subject for expected in self.done(Release) for subject in expected.subjects}
        blocks = {block_key(expected.action) for expected in self.done(BlockSender)}
        policies = {
            (type(expected.action), expected.action.label) for expected in self.done_policies()
        }
        reclassifications = list(self.done(Reclassify))
        return sum(map(len, (moves, releases, blocks, policies, reclassifications)))

    def done(self, kind: type[Any]) -> Iterator[Any]:
        """The expected actions of one type that should take effect."""
        return (
            expected
            for expected in self.actions
            if expected.result is ExpectedResult.DONE and isinstance(expected.action, kind)
        )

    def done_policies(self) -> Iterator[Any]:
        """The expected policies, apart from blocks, that should be created."""
        return (
            expected
            for expected in self.done(PolicyAction)
            if not isinstance(expected.action, BlockSender)
        )


@dataclass
class _Case:
    plan: CasePlan
    matches: list["_Match"] = field(default_factory=list)


@dataclass(frozen=True)
class _Match:
    """An event as one correlation counts it.

    `rule` is the path of correlations to the rule that matched, `links` has a group and values for
    each of them. `prefix` makes the key of an inner correlation's match unique.
    """

    event: Event
    rule: str
    values: tuple[str, ...]
    links: tuple[Link, ...] = ()
    prefix: str = ""

    @property
    def key(self) -> str:
        return f"{self.prefix}{self.event.key}"

    def within_outermost(self) -> "_Match":
        """The match as the outermost correlation of its path sees it."""
        inner_rule = self.rule.partition("/")[2]
        return _Match(self.event, inner_rule, self.links[0].values, self.links[1:])


def build_expectation(
    lines: Iterable[Line], rules: RuleSet, now: datetime, age_limit: timedelta | None = None
) -> Expectation:
    """Derive what should happen to a corpus if every rule acts in its own mode."""
    events = list(_read_events(lines, now))
    cases: dict[str, _Case] = {}
    for event in events:
        if not _is_eligible(event, rules, now, age_limit):
            continue
        for found in rules.evaluate(event).matches:
            allowed = rules.safety.ceiling_of(found.plan.rule)
            plan = found.plan.model_copy(update={"mode": found.plan.mode.capped(allowed)})
            case = cases.setdefault(found.plan.case_id, _Case(plan))
            case.matches.append(_Match(event, found.rule, found.values, found.links))

    expectation = Expectation(events=len(events))
    for case_id, case in cases.items():
        rule = case.plan.rule
        keys = {(case_id, match.event.key) for match in case.matches}
        expectation.matched[rule] = expectation.matched.get(rule, 0) + len(keys)
        correlation = case.plan.correlation
        expectation.counted |= keys if correlation is not None else set()
        if correlation is None or is_threshold_met(correlation, case.matches):
            expectation.joined |= keys
            expectation.actions += _expect_actions(case, rules)
            expectation.while_held |= _allow_while_held(case, rules)
    return expectation


# ---- events


def _read_events(lines: Iterable[Line], now: datetime) -> Iterator[Event]:
    """Convert records to events. The last record with an id wins; reports are joined to mail."""
    messages, others = {}, {}
    for line in lines:
        record = line.record
        match line.kind:
            case "message":
                event = message_event(record, now).with_detections(line.detections or {})
                messages[record["id"]] = event
            case "report":
                others[f"report {record['id']}"] = build_event(
                    EventKind.PHISHGUARD_REPORT, record, now
                )
            case "submission":
                event = build_event(EventKind.SUBMISSION, record, now)
                others[f"submission {record['submission_id']}"] = event

    by_postfix: dict[str, list[Event]] = defaultdict(list)
    for message in messages.values():
        by_postfix[str(message.record.get("postfix_id"))].append(message)
    yield from messages.values()
    yield from (_join_message(event, by_postfix) for event in others.values())


def _join_message(event: Event, by_postfix: dict[str, list[Event]]) -> Event:
    """Join an event to its message: that of a recipient it names, else the first one."""
    record = event.record
    fields = record.get("fields") or {
        "postfix_id": record.get("original_postfix_id"),
        "to": [record.get("requested_by") or ""],
    }
    copies = by_postfix.get(str(fields.get("postfix_id")), [])
    if not copies:
        return event

    named = {address.lower() for address in fields.get("to") or ()}
    first = next((copy for copy in copies if named & _recipients(copy)), copies[0])
    others = tuple(
        target
        for copy in copies
        if copy is not first and not copy.handled
        for target in copy.targets
    )
    return event.with_message(first, others)


def _recipients(message: Event) -> set[str]:
    return {address.lower() for address in message.record.get("client_recipients") or ()}


def _is_eligible(event: Event, rules: RuleSet, now: datetime, age_limit: timedelta | None) -> bool:
    message = event.record.get("message", event.record)
    is_ignored = message.get("delivery_mode") in rules.safety.ignored_delivery_modes
    has_age = event.is_dated or age_limit is None
    return has_age and not is_ignored and not is_too_old(event, now, age_limit)


# ---- correlation windows


def is_threshold_met(watch: CorrelationWindow, matches: Sequence[_Match]) -> bool:
    """Whether any window satisfies the correlation: every match is tried as its start.

    More matches never make a satisfied window unsatisfied, so a window within one that was tried
    tells nothing new: mail of one hour costs one trial, however much it is.
    """
    counted = sorted(
        (one for match in matches for one in _count_as(watch, match, matches)),
        key=lambda one: one.event.at,
    )
    if watch.type.is_aggregate:
        return _is_bound_met_once(watch, counted)
    if not _is_satisfied(watch, counted):
        return False
    times = [one.event.at for one in counted]
    tried = 0
    for start, at in enumerate(times):
        end = bisect_right(times, at + watch.timespan)
        if end > tried and _is_satisfied(watch, counted[start:end]):
            return True
        tried = end
    return False


def _is_bound_met_once(watch: CorrelationWindow, counted: Sequence[_Match]) -> bool:
    """Whether the numbers before any of the matches, and within the timespan, are as wanted."""
    times = [one.event.at for one in counted]
    return any(
        _is_bound_met(
            watch, counted[bisect_left(times, at - watch.timespan) : bisect_right(times, at)]
        )
        for at in dict.fromkeys(times)
    )


def _count_as(
    watch: CorrelationWindow, match: _Match, matches: Sequence[_Match]
) -> Iterator[_Match]:
    """Yield what a match counts as in a correlation.

    A match of a plain rule counts as itself. A match of an inner correlation counts if a window
    that ends with it satisfies that correlation.
    """
    if not match.links:
        yield match
        return

    name, group = match.rule.partition("/")[0], match.links[0].group
    inner = watch.inner[name]
    siblings = [
        one.within_outermost()
        for one in matches
        if one.links and (one.rule.partition("/")[0], one.links[0].group) == (name, group)
    ]
    counted = [one for sibling in siblings for one in _count_as(inner, sibling, siblings)]
    for last in _count_as(inner, match.within_outermost(), siblings):
        start, end = last.event.at - inner.timespan, (last.event.at, last.key)
        window = [
            one for one in counted if start <= one.event.at and (one.event.at, one.key) <= end
        ]
        # What numbers come to is compared once for all events of one time.
        is_last = all(one.event.at > end[0] for one in counted if (one.event.at, one.key) > end)
        if _is_satisfied(inner, window) and (is_last or not inner.type.is_aggregate):
            yield _Match(match.event, name, match.values, (), f"{name}/{group}/{last.prefix}")


def _is_satisfied(watch: CorrelationWindow, window: Sequence[_Match]) -> bool:
    match watch.type:
        case CorrelationType.EVENT_COUNT:
            return len({match.key for match in window}) >= watch.at_least
        case CorrelationType.VALUE_COUNT:
            return len({value for match in window for value in match.values}) >= watch.at_least
        case CorrelationType.TEMPORAL:
            return set(watch.rules) <= {match.rule for match in window}
        case CorrelationType.TEMPORAL_ORDERED:
            return _is_in_order(watch.rules, window)
        case _:
            return _is_bound_met(watch, window)


def _is_bound_met(watch: CorrelationWindow, window: Sequence[_Match]) -> bool:
    """Whether the numbers of a window come to what is wanted, by the words of the documentation."""
    of_event: dict[str, float] = {}
    for match in sorted(window, key=lambda one: (one.event.at, one.key, one.values)):
        with suppress(IndexError, ValueError):
            if isfinite(number := float(match.values[0])):
                of_event.setdefault(match.key, number)

    bound, numbers = watch.bound, sorted(of_event.values())
    if bound is None or not numbers:
        return False

    if watch.type is CorrelationType.VALUE_PERCENTILE:
        found = numbers[ceil(len(numbers) * (bound.percentile or 100) / 100) - 1]
    else:
        found = _AGGREGATES[watch.type](numbers)
    return _COMPARISONS[bound.comparison](found, bound.number)


_AGGREGATES: Mapping[CorrelationType, Callable[[Sequence[float]], float]] = {
    CorrelationType.VALUE_SUM: fsum,
    CorrelationType.VALUE_AVG: fmean,
    CorrelationType.VALUE_MEDIAN: median,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}


def _is_in_order(rules: Sequence[str], window: Sequence[_Match]) -> bool:
    """Whether each rule has a match of its own, none of them before that of an earlier rule."""
    left = sorted(window, key=lambda match: match.event.at)
    for rule in rules:
        found = next((index for index, match in enumerate(left) if match.rule == rule), None)
        if found is None:
            return False
        time = left[found].event.at
        left = [
            match for index, match in enumerate(left) if match.event.at >= time and index != found
        ]
    return True


# ---- actions


def _expect_actions(case: _Case, rules: RuleSet) -> Iterator[ExpectedAction]:
    events = [match.event for match in case.matches]
    targets = {target.id: target for event in events for target in event.targets}
    handled = {target.id for event in events if event.handled for target in event.targets}

    for action in case.plan.actions:
        match action:
            case BulkMove():
                continue  # waits for people
            case Move():
                returns = action.destination is Destination.INBOX
                for target in targets:
                    is_handled = target in handled and not returns
                    yield _expect(case, action, target, is_handled=is_handled)
            case Release():
                for target, message in targets.items():
                    yield _expect(case, action, target, is_handled=message.quarantined is False)
            case Reclassify():
                subjects = targets or ("",)
                yield _expect(case, action, *subjects, is_possible=bool(targets))
            case PolicyAction():
                is_possible = action.problem is None and rules.safety.refuses(action) is None
                yield _expect(case, action, action.label, is_possible=is_possible)


def _allow_while_held(case: _Case, rules: RuleSet) -> dict[tuple[str, str], Destination]:
    plan = case.plan
    is_allowed = rules.safety.ceiling_of(plan.rule) is Mode.ENFORCE
    if plan.while_held is None or plan.mode is Mode.SHADOW or not is_allowed:
        return {}

    events = [match.event for match in case.matches]
    targets = {target.id for event in events for target in event.targets}
    return {(plan.case_id, target): plan.while_held.destination for target in targets}


def _expect(
    case: _Case,
    action: Action,
    *subjects: str,
    is_handled: bool = False,
    is_possible: bool = True,
) -> ExpectedAction:
    by_mode = {
        Mode.SHADOW: ExpectedResult.SHADOWED,
        Mode.APPROVE: ExpectedResult.HELD,
        Mode.ENFORCE: ExpectedResult.HELD if action.has_wide_impact else ExpectedResult.DONE,
    }
    result = by_mode[case.plan.mode]
    if is_handled:
        result = ExpectedResult.HANDLED
    if not is_possible:
        result = ExpectedResult.IMPOSSIBLE
    return ExpectedAction(case.plan.case_id, case.plan.rule, action, frozenset(subjects), result)


def block_key(action: BlockSender) -> tuple[str, str]:
    """Return pattern and kind of a block, the pattern case-folded as Cloudflare compares it."""
    return str(action.fields["pattern"]).casefold(), action.kind.value
