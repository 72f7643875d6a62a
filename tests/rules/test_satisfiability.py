"""Satisfiability: proofs are sound, and the events that are found prove what they should."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.model.events import EventKind
from clawback.rules.engine.compiler import compile_node
from clawback.rules.lint.satisfiability import can_hold, implies
from clawback.rules.lint.value_domains import is_within
from clawback.rules.source.condition import (
    And,
    Comparison,
    Exists,
    ExpiredAfter,
    Leaf,
    Network,
    Node,
    Not,
    Null,
    Number,
    Or,
    Test,
    Text,
    Wildcard,
)

MESSAGE = EventKind.MESSAGE
MANY, ONE = Wildcard.MANY, Wildcard.ONE


def leaf(field: str, *tests: str | Test) -> Leaf:
    """A leaf; plain words are texts."""
    return Leaf(field, tuple(Text((test,)) if isinstance(test, str) else test for test in tests))


def starts(text: str) -> Text:
    """A text that begins so."""
    return Text((text, MANY))


def has(text: str) -> Text:
    """A text that contains this."""
    return Text((MANY, text, MANY))


IMPOSSIBLE: dict[str, Node] = {
    "two values of one field": And((leaf("from", "a"), leaf("from", "b"))),
    "a value and nothing": And((leaf("from", "a"), leaf("from", Null()))),
    "neither there nor missing": Not(Or((leaf("from", Exists()), leaf("from", Null())))),
    "a text that is excepted": And(
        (leaf("subject", has("foobar")), Not(leaf("subject", has("foo"))))
    ),
    "an excepted list": And((leaf("from", "a", "b"), Not(leaf("from", "B", "c", "A")))),
    "two beginnings": And((leaf("subject", starts("ab")), leaf("subject", starts("cd")))),
    "neither true nor false": And(
        (leaf("is_quarantined", Exists()), Not(leaf("is_quarantined", "true", "false")))
    ),
    "an empty range": And(
        (
            leaf("detections.findings.score", Number(Comparison.GT, 3)),
            Not(leaf("detections.findings.score", Exists())),
        )
    ),
    "a network in an excepted one": And(
        (
            leaf("x_originating_ip", Network("10.1.0.0/16")),
            Not(leaf("x_originating_ip", Network("10.0.0.0/8"))),
        )
    ),
    "in every alternative": And((Or((leaf("from", "a"), leaf("from", "b"))), leaf("from", "c"))),
    "an ended exception that has not": And((ExpiredAfter(date(2026, 1, 1)), leaf("from", "a"))),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_is_found(case: str) -> None:
    """No event makes these true; their opposite is always true."""
    node = IMPOSSIBLE[case]
    assert not can_hold(MESSAGE, (node, True)).is_possible
    assert can_hold(MESSAGE, (node, False)).is_possible


def test_a_list_can_have_several_values() -> None:
    """Two values of a list field do not contradict, and the event that is found has both."""
    verdict = can_hold(MESSAGE, (And((leaf("to", "a"), leaf("to", "b"))), True))
    assert verdict.record is not None
    assert verdict.record["to"] == ["a", "b"]


def test_a_contradiction_is_said() -> None:
    """The reason names the field and what is asked of it."""
    assert (
        can_hold(MESSAGE, (IMPOSSIBLE["two values of one field"], True)).why
        == "from cannot be a and b at once"
    )


def test_an_enum_is_open() -> None:
    """The API may invent a value: not being any that is known is possible."""
    assert can_hold(
        MESSAGE,
        (And((leaf("delivery_mode", Exists()), Not(leaf("delivery_mode", "DIRECT")))), True),
    ).is_possible


def test_one_condition_follows_from_another() -> None:
    """A narrower condition implies a wider one, not the other way round."""
    narrow, wide = (
        And((leaf("from", "a@x.test"), leaf("subject", has("invoice")))),
        leaf("from", Text((MANY, "@X.test"))),
    )
    assert implies(MESSAGE, narrow, wide)
    assert not implies(MESSAGE, wide, narrow)


def test_a_condition_that_is_too_large_counts_as_possible() -> None:
    """A search that would not end is given up, and nothing is claimed."""
    clauses = [
        Or(tuple(leaf("from", f"{one}-{other}") for other in range(12))) for one in range(12)
    ]
    assert can_hold(MESSAGE, (And(tuple(clauses)), True)).is_possible


def parts_of(shape: str, w: str, v: str) -> tuple[str | Wildcard, ...]:
    """The parts of a text of a shape in which letters stand for words."""
    meaning: dict[str, str | Wildcard] = {"*": MANY, "?": ONE, "w": w, "v": v}
    return tuple(meaning[letter] for letter in shape)


WORDS = st.sampled_from(["a", "b", "ab", "ba", "A"])
SHAPES = ("w", "w*", "*w", "*w*", "w?", "?w", "w*v", "*", "")
TEXTS = st.builds(
    lambda shape, w, v, cased: Text(parts_of(shape, w, v), cased),
    st.sampled_from(SHAPES),
    WORDS,
    WORDS,
    st.booleans(),
)
TESTS = st.one_of(TEXTS, st.just(Null()), st.just(Exists()))
LEAVES = st.builds(
    Leaf,
    st.sampled_from(["subject", "from", "to"]),
    st.lists(TESTS, min_size=1, max_size=3).map(tuple),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
VALUES = st.one_of(st.none(), st.text(alphabet="abA", max_size=4))
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "subject": VALUES,
        "from": VALUES,
        "to": st.lists(VALUES.filter(lambda value: value is not None), max_size=2),
    },
)


@given(TREES, st.lists(EVENTS, max_size=5))
@settings(max_examples=300, deadline=None)
def test_nothing_that_happens_is_called_impossible(
    tree: Node, events: list[dict[str, object]]
) -> None:
    """No event contradicts a proof, and every event that is given as an example is one."""
    predicate = compile_node(tree, lambda: date.min)
    for holds in (True, False):
        verdict = can_hold(MESSAGE, (tree, holds))
        assert verdict.is_possible or all(predicate(event) is not holds for event in events)
        assert verdict.record is None or predicate(verdict.record) is holds


@given(TESTS, TESTS, VALUES)
@settings(max_examples=500, deadline=None)
def test_what_is_within_passes_both(test: Test, other: Test, value: str | None) -> None:
    """A value that passes a test passes every test that this one is within."""
    if is_within(test, other) and compile_node(Leaf("subject", (test,)), lambda: date.min)(
        {"subject": value}
    ):
        assert compile_node(Leaf("subject", (other,)), lambda: date.min)({"subject": value})
