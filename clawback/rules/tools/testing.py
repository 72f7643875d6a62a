"""Runs the tests that rules carry in their files, on the same engine that evaluates mail.

Rendering results is for others.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from clawback.cases.plan import CasePlan
from clawback.correlation.progress import describe_correlation, measure_progress
from clawback.correlation.sliding_window import WindowEntry, find_window
from clawback.model.durations import parse_duration
from clawback.model.events import Event, EventKind, message_event, report_event, submission_event
from clawback.rules.engine.compiler import compile_node
from clawback.rules.engine.explanation import Explanation
from clawback.rules.engine.matches import RuleMatch
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.source.catalogue import as_group_value, find_field
from clawback.rules.source.documents import EventTest, Firing, WindowTest
from clawback.rules.source.yaml_reader import plain

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When relative times (`at`) start to count."""

_BUILD = {
    EventKind.MESSAGE: message_event,
    EventKind.PHISHGUARD_REPORT: report_event,
    EventKind.SUBMISSION: submission_event,
}
_Seen = dict[str, tuple[CasePlan, list[WindowEntry]]]


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """The outcome of one test.

    What was expected, what was found, and for a failure why: the condition on each of its events.

    `standing` says for each group of a correlation how far it came.
    """

    rule: str
    name: str
    passed: bool
    expected: str
    found: str
    path: str
    line: int
    why: tuple[Explanation, ...] = ()
    standing: tuple[str, ...] = ()


def run_tests(rules: RuleSet, names: Iterable[str] | None = None) -> list[RuleTestResult]:
    """Run the tests of all rules, or of those named, in the order of the files."""
    wanted = set(names) if names is not None else set(rules.rules)
    return [
        trial
        for name, rule in rules.rules.items()
        if name in wanted
        for trial in _of_rule(rules, rule)
    ]


def run_test(rules: RuleSet, rule: Rule, number: int) -> RuleTestResult:
    """Run one test of a rule, counted from 0 in the order of its file."""
    test, line = rule.tests[number], rule.test_lines[number]
    return (
        _event_trial(rules, rule, test, line)
        if isinstance(test, EventTest)
        else _window_trial(rules, rule, test, line)
    )


def events_of(rule: Rule, test: EventTest | WindowTest) -> list[Event]:
    """Build the events of a test."""
    if isinstance(test, EventTest):
        return [trial_event(rule.kinds[0], test.event, 1)]
    return [
        _window_event(rule, record, number) for number, record in enumerate(test.events, start=1)
    ]


def _of_rule(rules: RuleSet, rule: Rule) -> Iterator[RuleTestResult]:
    return (run_test(rules, rule, number) for number in range(len(rule.tests)))


def trial_event(
    kind: EventKind, record: Mapping[str, Any], number: int, at: datetime = EPOCH
) -> Event:
    """Build the event of a test from its partial record.

    What it leaves out is missing, and `number` makes its id.
    """
    data = plain(record)
    event = _BUILD[kind]({"id": f"test-{number}", "submission_id": f"test-{number}", **data}, at)
    return Event(event.kind, event.id, at, data, event.targets, event.handled)


def settled(rules: RuleSet, event: Event) -> Event:
    """Give a test event as it is decided.

    One that says nothing of `detections`, where a rule asks for them, has none.
    """
    return event.with_detections({}) if rules.evaluate(event).undecided else event


def matches_of(rules: RuleSet, event: Event) -> tuple[RuleMatch, ...]:
    """Evaluate a test event; one that says nothing of `detections` has none."""
    return rules.evaluate(settled(rules, event)).matches


def _event_trial(rules: RuleSet, rule: Rule, test: EventTest, line: int) -> RuleTestResult:
    (event,) = (settled(rules, event) for event in events_of(rule, test))
    if rule.response is not None:
        matched = any(match.plan.rule == rule.name for match in matches_of(rules, event))
    else:
        matched = rule.tree is not None and bool(compile_node(rule.tree, rules.today)(event.record))
    found = "match" if matched else "no match"
    why = () if found == test.expect else rules.explain(rule.name, event)
    return RuleTestResult(
        rule.name, test.name, found == test.expect, test.expect, found, rule.path, line, why
    )


def _window_trial(rules: RuleSet, rule: Rule, test: WindowTest, line: int) -> RuleTestResult:
    events = [settled(rules, event) for event in events_of(rule, test)]
    seen: _Seen = {}
    for event in events:
        for match in rules.evaluate(event).matches:
            if match.plan.rule == rule.name:
                sighting = WindowEntry(
                    key=event.key,
                    at=event.at,
                    rule=match.rule,
                    value=match.value,
                    links=match.links,
                )
                seen.setdefault(match.plan.case_id, (match.plan, []))[1].append(sighting)
    fired = [
        plan.group
        for plan, sightings in seen.values()
        if plan.watch is not None and find_window(plan.watch, sightings) is not None
    ]
    trial = RuleTestResult(
        rule.name,
        test.name,
        len(fired) == test.expect.fires,
        _said(test.expect),
        _found(fired),
        rule.path,
        line,
    )
    if trial.passed and _has_group(rule, test.expect, fired):
        return trial
    why = tuple(
        _numbered(one, number, event)
        for number, event in enumerate(events, 1)
        for one in rules.explain(rule.name, event)
    )
    return replace(
        trial,
        passed=False,
        why=why,
        standing=tuple(_standing(seen)) or ("no event belongs to any group",),
    )


def _numbered(explanation: Explanation, number: int, event: Event) -> Explanation:
    return replace(explanation, label=f"event {number}, {event.at - EPOCH} in: {explanation.label}")


def _standing(seen: _Seen) -> Iterator[str]:
    for plan, sightings in seen.values():
        if plan.watch is not None:
            group = (
                ", ".join(f"{name}={value}" for name, value in plan.group.items()) or "all events"
            )
            yield f"{group}: {measure_progress(plan.watch, sightings)}; wanted: {describe_correlation(plan.watch)}"


def _window_event(rule: Rule, record: Mapping[str, Any], number: int) -> Event:
    at = EPOCH + parse_duration(record["at"])
    kind = EventKind(record["kind"]) if "kind" in record else rule.kinds[0]
    return trial_event(
        kind, {key: value for key, value in record.items() if key not in {"at", "kind"}}, number, at
    )


def _has_group(rule: Rule, expected: Firing, fired: list[dict[str, str | None]]) -> bool:
    if expected.group is None:
        return True
    wanted = {
        name: as_group_value(find_field(rule.kinds[0], name), value)
        for name, value in expected.group.items()
    }
    return wanted in fired


def _said(expected: Firing) -> str:
    return f"fires {expected.fires}" + (
        f" for {expected.group}" if expected.group is not None else ""
    )


def _found(fired: list[dict[str, str | None]]) -> str:
    return f"fires {len(fired)}" + (f" for {', '.join(map(str, fired))}" if fired else "")
