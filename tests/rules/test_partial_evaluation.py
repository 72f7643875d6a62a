"""Partial evaluation: no match is lost before the message of a submission is known."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.events import Event, EventKind
from clawback.rules.engine.compiler import PartialEvaluation, compile_node
from clawback.rules.engine.sample_events import build_test_event
from clawback.rules.source.condition import (
    And,
    Exists,
    FieldReference,
    Leaf,
    Named,
    Node,
    Not,
    Null,
    Or,
    Text,
)
from clawback.rules.source.documents import EventTest
from tests.shipped import shipped_rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VALUES = st.sampled_from(["a", "b", None])
FIELDS = st.sampled_from(["status", "type", "message.id", "message.edf_hash"])
TESTS = st.sampled_from(
    [
        Text(("a",)),
        Text(("b",)),
        Null(),
        Exists(),
        FieldReference("message.id"),
        FieldReference("status"),
    ]
)
LEAVES = st.builds(Leaf, FIELDS, st.lists(TESTS, min_size=1, max_size=2).map(tuple))
NODES: st.SearchStrategy[Node] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
        st.builds(Named, st.just("one"), inner),
    ),
    max_leaves=6,
)
OUTER = st.fixed_dictionaries({"status": VALUES, "type": VALUES})
MESSAGES = st.none() | st.fixed_dictionaries({"id": VALUES, "edf_hash": VALUES})


def today() -> date:
    """Some day."""
    return NOW.date()


def submission(record: Mapping[str, Any]) -> Event:
    """Build a submission that is not joined."""
    return Event(EventKind.SUBMISSION, "one", NOW, record)


@given(NODES, OUTER, MESSAGES)
def test_what_matches_with_its_message_may_match_without(
    node: Node, outer: dict[str, Any], message: dict[str, Any] | None
) -> None:
    """Whatever the condition and whatever the message, no match is lost by not looking for it."""
    whole = {**outer, "message": message} if message is not None else outer
    if compile_node(node, today)(whole):
        assert PartialEvaluation([node], today).may_match(submission(outer))


@given(OUTER)
def test_a_condition_that_asks_nothing_of_the_message_is_decided(outer: dict[str, Any]) -> None:
    """Then no message is looked for in vain."""
    node = Leaf("status", (Text(("a",)),))
    assert PartialEvaluation([node], today).may_match(submission(outer)) is (outer["status"] == "a")


@pytest.mark.parametrize("kind", [EventKind.SUBMISSION, EventKind.PHISHGUARD_REPORT])
def test_no_shipped_rule_loses_a_match(kind: EventKind) -> None:
    """Every positive test of every shipped rule may match before its message is known."""
    rules = shipped_rules()
    events = [
        build_test_event(kind, test.event, number)
        for rule in rules.rules.values()
        if rule.kinds == (kind,)
        for number, test in enumerate(rule.tests)
        if isinstance(test, EventTest) and test.expect == "match"
    ]
    alone = [
        submission({key: value for key, value in event.record.items() if key != "message"})
        for event in events
    ]
    assert alone
    assert all(rules.may_match(Event(kind, event.id, event.at, event.record)) for event in alone)
