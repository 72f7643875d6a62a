"""Builds the events of the tests in rule files.

A test names only the fields that matter. What it leaves out is missing from the event.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clawback.model.durations import parse_duration
from clawback.model.events import Event, EventKind, build_event
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.source.documents import EventTest, WindowTest
from clawback.rules.source.yaml_reader import as_plain_data

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The time at which the relative times (`at`) of a test start."""


def build_test_event(
    kind: EventKind, record: Mapping[str, Any], number: int, at: datetime = EPOCH
) -> Event:
    """Build an event from a partial record; `number` becomes its id if the record has none."""
    data = as_plain_data(record)
    event = build_event(
        kind, {"id": f"test-{number}", "submission_id": f"test-{number}", **data}, at
    )
    # The made-up ids are those of the event only: rules see what the test gives.
    seen = {name: value for name, value in event.record.items() if name in data}
    return Event(event.kind, event.id, at, seen, event.copies, event.handled)


def build_test_events(rule: Rule, test: EventTest | WindowTest) -> list[Event]:
    """Build the events of a test, in the order of the file."""
    if isinstance(test, EventTest):
        return [build_test_event(rule.kinds[0], test.event, 1)]
    return [_window_event(rule, record, number) for number, record in enumerate(test.events, 1)]


def _window_event(rule: Rule, record: Mapping[str, Any], number: int) -> Event:
    kind = EventKind(record["kind"]) if "kind" in record else rule.kinds[0]
    data = {key: value for key, value in record.items() if key not in {"at", "kind"}}
    return build_test_event(kind, data, number, EPOCH + parse_duration(record["at"]))


def with_enrichments(rules: RuleSet, event: Event) -> Event:
    """Give an event an empty one of each enrichment that it lacks and a rule asks for."""
    event = rules.complete(event)
    while (missing := rules.missing_enrichment(event)) is not None:
        event = event.enriched(missing, {})
    return event
