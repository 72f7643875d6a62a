"""What should happen: every record evaluated against the rules, every window tried, every action of every case written down. Pure.

It shares with the worker what a rule means (the rule set, the events) and nothing of how it is
carried out: no intake, no window search, no case machine. The windows here are brute force on
purpose.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations

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


class Fate(StrEnum):
    """How one piece of work should end."""

    DONE = "done"
    HANDLED = "handled"
    """Somebody had dealt with the message before: recorded as done, no effect of ours."""
    IMPOSSIBLE = "impossible"
    """Cannot be done, and is recorded as failed with the reason."""
    SHADOWED = "shadowed"
    """Recorded as what would have been done."""
    HELD = "held"
    """Waits for a person."""


@dataclass(frozen=True)
class Work:
    """One action of one case on one message, or on the case.

    `subjects` is what it may be recorded under.
    """

    case: str
    rule: str
    action: Action
    subjects: frozenset[str]
    fate: Fate


@dataclass
class Expectation:
    """All that should happen.

    `joined` are the (case, event key) pairs that should be recorded; `matched` counts them by rule.
    """

    events: int = 0
    joined: set[tuple[str, str]] = field(default_factory=set)
    matched: dict[str, int] = field(default_factory=dict)
    work: list[Work] = field(default_factory=list)

    @property
    def effects(self) -> int:
        """How many changes the ledger should come to."""
        moves = {
            (subject, work.action.destination)
            for work in self.done(Move)
            for subject in work.subjects
            if isinstance(work.action, Move)
        }
        blocks = {_pattern(work.action) for work in self.done(BlockSender)}
        releases = {subject for work in self.done(Release) for subject in work.subjects}
        policies = {
            (type(work.action), work.action.label)
            for work in self.done(PolicyAction)
            if isinstance(work.action, PolicyAction) and not isinstance(work.action, BlockSender)
        }
        return (
            len(moves)
            + len(blocks)
            + len(releases)
            + len(policies)
            + sum(1 for _ in self.done(Reclassify))
        )

    def done(self, kind: type[Action | PolicyAction]) -> Iterator[Work]:
        """The work of one kind that should have an effect."""
        return (
            work for work in self.work if work.fate is Fate.DONE and isinstance(work.action, kind)
        )


@dataclass
class _Case:
    plan: CasePlan
    sightings: list["_Seen"] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
    event: Event
    rule: str
    value: str | None
    links: tuple[Link, ...] = ()
    of: str = ""

    @property
    def key(self) -> str:
        return f"{self.of}{self.event.key}"


def expect(
    lines: Iterable[Line], rules: RuleSet, now: datetime, age_limit: timedelta | None = None
) -> Expectation:
    """Work out what should become of a corpus under a rule set; rules may go as far as they say."""
    cases: dict[str, _Case] = {}
    events = list(_events(lines, now))
    for event in events:
        if _is_ours(event, rules, now, age_limit):
            for found in rules.evaluate(event).matches:
                case = cases.setdefault(found.plan.case_id, _Case(found.plan))
                case.sightings.append(_Seen(event, found.rule, found.value, found.links))
    expectation = Expectation(events=len(events))
    for case_id, case in cases.items():
        keys = {(case_id, seen.event.key) for seen in case.sightings}
        expectation.joined |= keys
        expectation.matched[case.plan.rule] = expectation.matched.get(case.plan.rule, 0) + len(keys)
        if case.plan.watch is None or fires(case.plan.watch, case.sightings):
            expectation.work += _work(case, rules)
    return expectation


# ---- events


def _events(lines: Iterable[Line], now: datetime) -> Iterator[Event]:
    """Give every record that is polled as an event, the last of those with the same id.

    The others with the message they name.
    """
    messages, others = {}, {}
    for line in lines:
        if line.kind == "message":
            messages[line.record["id"]] = message_event(line.record, now).with_detections(
                line.detections or {}
            )
        elif line.kind == "report":
            others[f"report {line.record['id']}"] = build_event(
                EventKind.PHISHGUARD_REPORT, line.record, now
            )
        else:
            others[f"submission {line.record['submission_id']}"] = build_event(
                EventKind.SUBMISSION, line.record, now
            )
    by_postfix: dict[str, list[Event]] = defaultdict(list)
    for message in messages.values():
        by_postfix[str(message.record.get("postfix_id"))].append(message)
    yield from messages.values()
    yield from (_with_message(event, by_postfix) for event in others.values())


def _with_message(event: Event, by_postfix: dict[str, list[Event]]) -> Event:
    """Join a report, which names recipients, or a submission, whose submitter is one."""
    record = event.record
    fields = record.get("fields") or {
        "postfix_id": record.get("original_postfix_id"),
        "to": [record.get("requested_by") or ""],
    }
    named = {address.lower() for address in fields.get("to") or ()}
    about = by_postfix.get(str(fields.get("postfix_id")), [])
    if not about:
        return event
    first = next(
        (
            one
            for one in about
            if named & {address.lower() for address in one.record.get("client_recipients") or ()}
        ),
        about[0],
    )
    others = tuple(
        target for one in about if one is not first and not one.handled for target in one.targets
    )
    return event.with_message(first, others)


def _is_ours(event: Event, rules: RuleSet, now: datetime, age_limit: timedelta | None) -> bool:
    message = event.record.get("message", event.record)
    return message.get(
        "delivery_mode"
    ) not in rules.safety.ignored_delivery_modes and not is_too_old(event, now, age_limit)


# ---- windows


def fires(watch: CorrelationWindow, sightings: Sequence[_Seen]) -> bool:
    """Whether any window of the timespan satisfies the correlation.

    Each start is tried, and everything within reach of it.
    """
    sightings = [one for seen in sightings for one in _as_counted(watch, seen, sightings)]
    for first in sightings:
        window = [
            seen
            for seen in sightings
            if first.event.at <= seen.event.at <= first.event.at + watch.timespan
        ]
        if _satisfied(watch, window):
            return True
    return False


def _as_counted(
    watch: CorrelationWindow, seen: _Seen, sightings: Sequence[_Seen]
) -> Iterator[_Seen]:
    """What one event is to a correlation.

    Itself, or a match of an inner correlation if a window that ends with it satisfies that.
    """
    if not seen.links:
        yield seen
        return
    name, group = seen.rule.partition("/")[0], seen.links[0].group
    inner = watch.inner[name]
    same = [
        _below(one)
        for one in sightings
        if one.links and (one.rule.partition("/")[0], one.links[0].group) == (name, group)
    ]
    counted = [one for below in same for one in _as_counted(inner, below, same)]
    for last in _as_counted(inner, _below(seen), same):
        since, end = last.event.at - inner.timespan, (last.event.at, last.key)
        if _satisfied(
            inner,
            [one for one in counted if since <= one.event.at and (one.event.at, one.key) <= end],
        ):
            yield _Seen(seen.event, name, seen.value, (), f"{name}/{group}/{last.of}")


def _below(seen: _Seen) -> _Seen:
    return _Seen(seen.event, seen.rule.partition("/")[2], seen.links[0].value, seen.links[1:])


def _satisfied(watch: CorrelationWindow, window: Sequence[_Seen]) -> bool:
    match watch.type:
        case CorrelationType.EVENT_COUNT:
            return len({seen.key for seen in window}) >= watch.at_least
        case CorrelationType.VALUE_COUNT:
            return len({seen.value for seen in window} - {None}) >= watch.at_least
        case CorrelationType.TEMPORAL:
            return set(watch.rules) <= {seen.rule for seen in window}
        case CorrelationType.TEMPORAL_ORDERED:
            ordered = [
                seen.rule for seen in sorted(window, key=lambda seen: (seen.event.at, seen.key))
            ]
            return any(chosen == watch.rules for chosen in combinations(ordered, len(watch.rules)))


# ---- actions


def _work(case: _Case, rules: RuleSet) -> Iterator[Work]:
    handled = {
        target.id for seen in case.sightings if seen.event.handled for target in seen.event.targets
    }
    targets = {target.id for seen in case.sightings for target in seen.event.targets}
    for action in case.plan.actions:
        if isinstance(action, BulkMove):
            continue  # it waits for people
        if isinstance(action, Move):
            for target in targets:
                yield _one(
                    case,
                    action,
                    frozenset({target}),
                    Fate.HANDLED
                    if target in handled and action.destination is not Destination.INBOX
                    else Fate.DONE,
                )
        elif isinstance(action, Release):
            for one in {
                target.id: target for seen in case.sightings for target in seen.event.targets
            }.values():
                yield _one(
                    case,
                    action,
                    frozenset({one.id}),
                    Fate.HANDLED if one.quarantined is False else Fate.DONE,
                )
        elif isinstance(action, Reclassify):
            yield _one(
                case, action, frozenset(targets or {""}), Fate.DONE if targets else Fate.IMPOSSIBLE
            )
        elif isinstance(action, PolicyAction):
            possible = action.problem is None and rules.safety.refuses(action) is None
            yield _one(
                case, action, frozenset({action.label}), Fate.DONE if possible else Fate.IMPOSSIBLE
            )


def _one(case: _Case, action: Action, subjects: frozenset[str], fate: Fate) -> Work:
    by_mode = {
        Mode.SHADOW: Fate.SHADOWED,
        Mode.APPROVE: Fate.HELD,
        Mode.ENFORCE: Fate.HELD if action.has_wide_impact else Fate.DONE,
    }
    return Work(
        case.plan.case_id,
        case.plan.rule,
        action,
        subjects,
        by_mode[case.plan.mode] if fate is Fate.DONE else fate,
    )


def _pattern(action: Action) -> tuple[str, str]:
    return (action.pattern.casefold(), action.kind) if isinstance(action, BlockSender) else ("", "")
