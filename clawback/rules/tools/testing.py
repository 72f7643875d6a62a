"""Runs the tests in rule files on the engine that evaluates mail. Rendering is up to the caller."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from clawback.cases.plan import CasePlan
from clawback.correlation.progress import describe_correlation, measure_progress
from clawback.correlation.sliding_window import WindowEntry, find_window
from clawback.model.events import Event
from clawback.rules.engine.compiler import compile_node
from clawback.rules.engine.explanation import Explanation
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.engine.sample_events import EPOCH, build_test_events, with_enrichments
from clawback.rules.source.documents import EventTest, Firing, WindowTest
from clawback.rules.source.field_catalogue import as_group_value, find_field

_Groups = dict[str, tuple[CasePlan, list[WindowEntry]]]


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """The result of one test.

    A failure has in `why` the explanation of the rule for each event, and for a correlation in
    `progress` one line per group: what was counted, and what was wanted.
    """

    rule: str
    name: str
    passed: bool
    expected: str
    found: str
    path: str
    line: int
    why: tuple[Explanation, ...] = ()
    progress: tuple[str, ...] = ()


def run_tests(rules: RuleSet, names: Iterable[str] | None = None) -> list[RuleTestResult]:
    """Run the tests of all rules, or of those named, in the order of the files."""
    wanted = set(names) if names is not None else set(rules.rules)
    return [
        run_test(rules, rule, number)
        for name, rule in rules.rules.items()
        if name in wanted
        for number in range(len(rule.tests))
    ]


def run_test(rules: RuleSet, rule: Rule, number: int) -> RuleTestResult:
    """Run one test of a rule, counted from 0 in the order of its file."""
    test, line = rule.tests[number], rule.test_lines[number]
    events = [with_enrichments(rules, event) for event in build_test_events(rule, test)]
    if isinstance(test, EventTest):
        return _run_event_test(rules, rule, (test, line), events[0])
    return _run_window_test(rules, rule, (test, line), events)


# ---- tests of single events


def _run_event_test(
    rules: RuleSet, rule: Rule, test_and_line: tuple[EventTest, int], event: Event
) -> RuleTestResult:
    test, line = test_and_line
    if rule.response is not None:
        is_match = any(match.plan.rule == rule.name for match in rules.evaluate(event).matches)
    else:
        is_match = rule.tree is not None and bool(
            compile_node(rule.tree, rules.today)(event.record)
        )

    found = "match" if is_match else "no match"
    passed = found == test.expect
    why = () if passed else rules.explain(rule.name, event)

    return RuleTestResult(rule.name, test.name, passed, test.expect, found, rule.path, line, why)


# ---- tests of correlations


def _run_window_test(
    rules: RuleSet, rule: Rule, test_and_line: tuple[WindowTest, int], events: Sequence[Event]
) -> RuleTestResult:
    test, line = test_and_line
    groups = _count_groups(rules, rule, events)
    fired = [
        plan.group
        for plan, entries in groups.values()
        if plan.correlation is not None and find_window(plan.correlation, entries) is not None
    ]
    passed = len(fired) == test.expect.fires and _is_expected_group(rule, test.expect, fired)
    result = RuleTestResult(
        rule=rule.name,
        name=test.name,
        passed=passed,
        expected=_render_expected(test.expect),
        found=_render_fired(fired),
        path=rule.path,
        line=line,
    )
    if passed:
        return result

    why = tuple(_explain_each(rules, rule, events))
    progress = tuple(_render_progress(groups)) or ("no event belongs to any group",)
    return replace(result, why=why, progress=progress)


def _count_groups(rules: RuleSet, rule: Rule, events: Sequence[Event]) -> _Groups:
    groups: _Groups = {}
    for event in events:
        for match in rules.evaluate(event).matches:
            if match.plan.rule == rule.name:
                _, entries = groups.setdefault(match.plan.case_id, (match.plan, []))
                entries.append(
                    WindowEntry(
                        key=event.key,
                        at=event.at,
                        rule=match.rule,
                        values=match.values,
                        links=match.links,
                    )
                )

    return groups


def _is_expected_group(
    rule: Rule, expected: Firing, fired: Sequence[dict[str, str | None]]
) -> bool:
    if expected.group is None:
        return True

    wanted = {
        name: as_group_value(find_field(rule.kinds[0], name), value)
        for name, value in expected.group.items()
    }
    return wanted in fired


def _explain_each(rules: RuleSet, rule: Rule, events: Sequence[Event]) -> Iterator[Explanation]:
    for number, event in enumerate(events, 1):
        for one in rules.explain(rule.name, event):
            yield replace(one, label=f"event {number} at {event.at - EPOCH}: {one.label}")


def _render_progress(groups: _Groups) -> Iterator[str]:
    for plan, entries in groups.values():
        if plan.correlation is not None:
            values = ", ".join(f"{name}={value}" for name, value in plan.group.items())
            progress = measure_progress(plan.correlation, entries)
            wanted = describe_correlation(plan.correlation)
            yield f"{values or 'all events'}: {progress}; wanted: {wanted}"


def _render_expected(expected: Firing) -> str:
    group = f" for {expected.group}" if expected.group is not None else ""
    return f"fires {expected.fires}{group}"


def _render_fired(fired: Sequence[dict[str, str | None]]) -> str:
    groups = f" for {', '.join(map(str, fired))}" if fired else ""
    return f"fires {len(fired)}{groups}"
