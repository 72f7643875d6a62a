"""The compiled and indexed engine agrees with a reference interpreter for any rules and records."""

import contextlib
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import re2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawback.model.events import Event, EventKind
from clawback.rules.engine.codegen import Branches, generate_evaluator, generate_predicate
from clawback.rules.engine.compiler import compile_node, enrichments_of
from clawback.rules.engine.index import Engine
from clawback.rules.engine.predicates import match_any_regex, required_literals
from clawback.rules.engine.wildcards import match_any, match_parts
from clawback.rules.source.condition import (
    And,
    Comparison,
    Confusable,
    Element,
    Exists,
    FieldReference,
    Leaf,
    Named,
    Network,
    Node,
    Not,
    Null,
    Number,
    Or,
    Regex,
    Text,
    TimePart,
    TimeUnit,
    Wildcard,
)
from clawback.rules.source.lookalike import Lookalike
from clawback.rules.source.unicode_regex import translate
from tests.rules.reference_interpreter import interpret

FIELDS = [
    "from",
    "subject",
    "to",
    "final_disposition",
    "is_quarantined",
    "validation.spf",
    "properties.allowlisted_pattern",
    "detections.links.href",
    "detections.findings.score",
    "history.messages",
    "from_domain",
    "replyto_domain",
    "detections.links.href_domain",
    "envelope_domain",
    "from_mailbox",
    "impersonates",
    "recipient_count",
    "link_count",
    "attachment_count",
    "sent_delay",
]
WORDS = [
    "a",
    "ab",
    "abc",
    "Abc",
    "ABCD",
    "bc",
    "é",
    "ß",
    "ss",
    "STRASSE",
    "straße",
    "\u017f",
    "\u0430b",
    "1l",
    "k",
    "\u212a",
    "İ",
    "\u03c3",
    "\u03c2",
    "e\u0301",
    "\u0301",
    "a\u200bb",
    "\uff41\uff22",
    "a  b",
    "a\u00a0b",
    "a\r\n b",
    "\ufb01",
    "a\u00adb",
    "bücher",
    "xn--bcher-kva",
    "XN--BCHER-KVA.ab",
    "\ud800",
    "10",
    "10.0",
    "5",
    "true",
    "",
    " ",
]
PATTERNS = [
    "abc",
    "(?i)ABC",
    "^ab",
    "c$",
    "a.c",
    "(abc|bcd)",
    "ab+c?",
    "[ab]c",
    r"\bab",
    r"(ä|b)\b",
    r"\w\W",
    "(?i)strasse",
    "(?i)k",
    "",
    "a{2}",
    "x*abcd",
    r"10\.0",
    "abc.*(?i:abcd)",
    r"(abc|bcd).?(?:strasse|abcd)",
]
MOMENTS = ["2026-11-22T10:05:00Z", "2026-01-01T00:00:00+02:00", "not a time"]
SENDERS = [
    "a@abcd1.test",
    "a@abdce.co.uk",
    "a@abcde.test",
    "a@ab.test",
    "B@mail.AB.test",
    "a@x.abc.co.uk",
    "A+5@ab.test",
    "a.b+abc@googlemail.com",
    "bounces-1-a=ab.test@abc.co.uk",
    "a@abc.web.app",
    "@",
    "a@5",
]
LINKS = ["https://ab.test/x", "https://abc.test@mail.ab.test/", "http://x.abc.co.uk", "#a"]
CONFUSABLES = [
    Text((Wildcard.MANY, "ab", Wildcard.MANY)),
    Text(("abc",)),
    Text(("Il",)),
    Text(("a", Wildcard.MANY)),
]
MAILBOXES = ["a@ab.test", "ab@gmail.com", "bounces@abc.co.uk"]
DOMAINS = ["ab.test", "abc.co.uk", "abc.web.app"]
ADDRESSES = ["10.1.2.3", "192.0.2.1", "2001:db8::1", "10.1.2"]

words = st.sampled_from(WORDS)
joined = st.lists(words, min_size=1, max_size=3).map("".join)
part = st.one_of(words.filter(bool), st.sampled_from([Wildcard.MANY, Wildcard.ONE]))


def _merged(parts: list[str | Wildcard]) -> tuple[str | Wildcard, ...]:
    """Merge neighbours as the loader does."""
    found: list[str | Wildcard] = []
    for one in parts:
        if found and not isinstance(one, Wildcard) and not isinstance(found[-1], Wildcard):
            found[-1] += one
        elif not (found and one is Wildcard.MANY and found[-1] is Wildcard.MANY):
            found.append(one)
    return tuple(found)


texts = st.builds(Text, st.lists(part, max_size=4).map(_merged), st.booleans())
plain_tests = st.one_of(
    texts,
    texts,
    st.builds(lambda word: Text((word,)), joined.filter(bool)),
    st.builds(lambda word: Text((Wildcard.MANY, word, Wildcard.MANY)), joined.filter(bool)),
    st.builds(Confusable, st.sampled_from(CONFUSABLES)),
    st.builds(Lookalike, st.sampled_from([("abcde.test",), ("abcdd.co.uk", "ab.test")])),
    st.builds(Regex, st.sampled_from(PATTERNS), st.sampled_from(["", "i", "s", "im"])),
    st.just(Null()),
    st.just(Exists()),
    st.builds(lambda word: Text((word,)), st.sampled_from(DOMAINS)),
    st.builds(lambda word: Text((word,)), st.sampled_from(MAILBOXES)),
    st.builds(Number, st.sampled_from(list(Comparison)), st.sampled_from([0, 1, 2, 5, 10, 0.5])),
    st.builds(Network, st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"])),
    st.builds(TimePart, st.sampled_from(list(TimeUnit)), st.sampled_from([1, 5, 10, 22, 47, 2025])),
    st.builds(FieldReference, st.sampled_from(FIELDS), st.booleans(), st.booleans()),
)
leaves = st.builds(
    Leaf, st.sampled_from(FIELDS), st.lists(plain_tests, min_size=1, max_size=3).map(tuple)
)
LINK_FIELDS = ["href", "text", "href_domain"]
OUTER = ["@event.from", "@event.from_domain", "@event.detections.findings.score"]
element_leaves = st.builds(
    Leaf,
    st.sampled_from(LINK_FIELDS),
    st.lists(
        st.one_of(
            plain_tests.filter(lambda test: not isinstance(test, FieldReference)),
            st.builds(
                FieldReference,
                st.sampled_from([*LINK_FIELDS, *OUTER]),
                st.booleans(),
                st.booleans(),
            ),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
)
elements = st.builds(
    Element,
    st.just("detections.links"),
    st.recursive(
        element_leaves,
        lambda inner: st.one_of(
            st.builds(And, st.lists(inner, min_size=2, max_size=2).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=2).map(tuple)),
            st.builds(Not, inner),
        ),
        max_leaves=3,
    ),
    st.booleans(),
)
nodes: st.SearchStrategy[Node] = st.recursive(
    st.one_of(leaves, leaves, elements),
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
        st.builds(Named, st.just("sel"), inner),
    ),
    max_leaves=6,
)

scalars = st.one_of(
    joined,
    joined,
    st.none(),
    st.booleans(),
    st.sampled_from([0, 5, 10, 0.5, 10.0, 10**400]),
    st.sampled_from(MOMENTS),
    st.sampled_from(ADDRESSES),
)
loose = st.one_of(
    scalars, scalars, st.lists(scalars, max_size=3), st.just({"odd": 1}), st.just([["abc"], []])
)
records = st.fixed_dictionaries(
    {},
    optional={
        "from": st.one_of(loose, st.sampled_from(SENDERS)),
        "replyto": st.one_of(loose, st.sampled_from(SENDERS)),
        "envelope_from": st.one_of(loose, st.sampled_from(SENDERS)),
        "impersonates": scalars,
        "sent_at": st.sampled_from(MOMENTS),
        "scanned_at": st.sampled_from(MOMENTS),
        "subject": loose,
        "to": st.lists(scalars, max_size=3),
        "final_disposition": scalars,
        "is_quarantined": scalars,
        "validation": st.one_of(
            st.none(), st.fixed_dictionaries({}, optional={"spf": loose}), joined
        ),
        "properties": st.one_of(
            st.lists(st.fixed_dictionaries({}, optional={"allowlisted_pattern": loose}), max_size=2)
        ),
        "history": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"messages": scalars})),
        "detections": st.one_of(
            st.none(),
            st.just({}),
            st.fixed_dictionaries(
                {
                    "links": st.lists(
                        st.one_of(
                            st.fixed_dictionaries(
                                {},
                                optional={
                                    "href": st.one_of(loose, st.sampled_from(LINKS)),
                                    "text": loose,
                                },
                            ),
                            st.sampled_from([None, "abc", []]),
                        ),
                        max_size=3,
                    )
                }
            ),
            st.fixed_dictionaries(
                {"attachments": st.one_of(st.none(), st.lists(loose, max_size=2))}
            ),
            st.fixed_dictionaries(
                {
                    "findings": st.one_of(
                        st.none(), st.lists(st.fixed_dictionaries({"score": scalars}), max_size=2)
                    )
                }
            ),
        ),
    },
)
thorough = settings(
    max_examples=int(os.environ.get("RULES_EXAMPLES", "80")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def _today() -> date:
    return date(2026, 11, 22)


def _event(record: dict[str, Any]) -> Event:
    return Event(EventKind.MESSAGE, "1", datetime(2026, 11, 22, tzinfo=UTC), record)


@thorough
@given(rules=st.lists(nodes, min_size=9, max_size=12), record=records)
def test_the_index_finds_exactly_what_is_true(rules: list[Node], record: dict[str, Any]) -> None:
    """With many rules, the engine agrees with the interpreter, also on what is undecided."""
    engine = Engine(list(zip(rules, range(len(rules)), strict=True)), EventKind.MESSAGE, _today)
    answers = [interpret(rule, record) for rule in rules]

    hits, undecided = engine.decide(record)

    assert list(hits) == [number for number, answer in enumerate(answers) if answer is True]
    assert undecided == (None in answers)


@thorough
@given(rule=nodes, record=records)
def test_one_rule_is_what_the_interpreter_says(rule: Node, record: dict[str, Any]) -> None:
    """A condition means the same compiled, inlined, and alone in an engine."""
    answer = interpret(rule, record)

    assert compile_node(rule, _today)(record) is answer
    known = enrichments_of(rule) <= record.keys()
    branches: Branches[bool | None] = Branches(
        matched=lambda _: True, unmatched=False, unknown=lambda _: None
    )
    evaluate = generate_evaluator(rule, EventKind.MESSAGE, _today, branches)
    assert evaluate(_event(record)) is (answer if known else None)
    assert evaluate(replace(_event(record), kind=EventKind.SUBMISSION)) is None
    if known:
        assert generate_predicate(rule, _today)(record) is answer
    hits, undecided = Engine([(rule, "it")], EventKind.MESSAGE, _today).decide(record)
    assert (list(hits), undecided) == (["it"] if answer else [], answer is None)


@thorough
@given(
    patterns=st.lists(
        st.one_of(st.sampled_from(PATTERNS), st.text("ab(|)?*+[].^$\\{}1,", max_size=12)),
        min_size=1,
        max_size=6,
    ),
    text=st.text("abcABC12. \u212a\u017f", max_size=10),
)
def test_many_expressions_at_once_are_found_as_one_by_one(patterns: list[str], text: str) -> None:
    """`re2.Filter` never rules out an expression that RE2 finds, and finds no other."""
    options = re2.Options()
    options.log_errors = False
    valid: list[str] = []
    for pattern in patterns:
        with contextlib.suppress(re2.error):
            re2.compile(pattern, options)
            valid.append(pattern)
    if valid:
        meant = valid if text.isascii() else [translate(one).pattern for one in valid]
        found = [number for number, one in enumerate(meant) if re2.search(one, text)]
        assert list(match_any_regex(valid)(text) or ()) == found


@settings(max_examples=500)
@given(
    pattern=st.one_of(
        st.sampled_from(PATTERNS), st.text("abKs?*+.^$\\{}1,|()[]dbQEx-", max_size=9)
    ),
    flags=st.sampled_from(["", "(?i)"]),
    text=st.text("abABKsS12{},?*+-. \u212a\u017f", max_size=9),
)
def test_required_literals_are_in_every_text_that_matches(
    pattern: str, flags: str, text: str
) -> None:
    """A text that RE2 matches has all of them, whatever the syntax and the case."""
    expression = flags + pattern
    with contextlib.suppress(re2.error):
        if re2.search(expression, text) or re2.search(translate(expression).pattern, text):
            assert all(one in text.casefold() for one in required_literals(expression))


@pytest.mark.parametrize(
    ("expression", "literals"),
    [
        (r"\bparcel\b.{0,20}\bfee\b", ("parcel", "fee")),
        ("(?i)PayPa?l", ("payp", "l")),
        ("ab{2}c", ("a", "c")),
        ("pay|fee", ()),
        ("pay(ment)?", ()),
        (r"\x41bc", ()),
    ],
)
def test_literals_are_taken_from_simple_expressions_only(
    expression: str, literals: tuple[str, ...]
) -> None:
    """What may be missing, and whatever needs a parser, gives no literal."""
    assert required_literals(expression) == literals


wildcard_texts = st.lists(part, max_size=4).map(_merged)
literals_inside = words.filter(bool).map(lambda word: (Wildcard.MANY, word, Wildcard.MANY))


@thorough
@given(
    parts=st.one_of(
        st.lists(wildcard_texts, min_size=1, max_size=6),
        st.lists(literals_inside, min_size=16, max_size=20),
    ),
    text=joined,
)
def test_many_texts_at_once_match_as_one_by_one(
    parts: list[tuple[str | Wildcard, ...]], text: str
) -> None:
    """Texts of a kind are compared at once, and mean what each of them means alone."""
    expected = any(match_parts(one)(text) for one in parts)
    assert match_any(parts)(text) is expected


def test_an_automaton_takes_what_is_no_unicode() -> None:
    """A long list of words is found beside a lone surrogate."""
    contains = match_any([(Wildcard.MANY, f"word{number}", Wildcard.MANY) for number in range(99)])
    assert contains("a word7 b")
    assert contains("a \ud800 word98 b")
    assert not contains("a \ud800 word b")


def test_a_literal_that_is_no_unicode_hides_no_other() -> None:
    """A rule whose text has a lone surrogate leaves those after it as they are."""
    words = ["\ud800ab\u00e9", "ab\u00e9", *(f"word{number}" for number in range(16))]
    inside = [(Wildcard.MANY, word, Wildcard.MANY) for word in words]
    rules: list[Node] = [Leaf("subject", (Text(one),)) for one in inside]
    engine = Engine(list(zip(rules, range(len(rules)), strict=True)), EventKind.MESSAGE, _today)
    assert engine.decide({"subject": "AB\u00c9 word9"}) == ([1, 11], False)
    assert engine.decide({"subject": "\ud800AB\u00c9 word9"}) == ([0, 1, 11], False)
    assert match_any(inside)("word9")
    assert match_any(inside)("x\ud800ab\u00e9")


def test_what_is_no_unicode_is_looked_up_all_the_same() -> None:
    """A lone surrogate, which no matcher takes, hides nothing before, behind or around it."""
    many = Wildcard.MANY
    parts: list[tuple[str | Wildcard, ...]] = [
        ("abc", many),
        (many, "bcd"),
        (many, "xyz", many),
        (many, "xyz"),
        ("bcd", many),
        (many, "xyz", many, "bcd", many),
    ]
    rules: list[Node] = [Leaf("subject", (Text(one),)) for one in [*parts, *parts]]
    engine = Engine(list(zip(rules, range(len(rules)), strict=True)), EventKind.MESSAGE, _today)
    assert engine.decide({"subject": "ABC \ud800 xyz bcd"}) == ([0, 1, 2, 5, 6, 7, 8, 11], False)


def test_a_condition_with_more_rests_than_are_numbered_means_the_same() -> None:
    """A list of very many wildcards is asked as a whole."""
    words = [f"w{number}" for number in range(200)]
    many: Node = Leaf(
        "subject", tuple(Text((Wildcard.MANY, word, Wildcard.MANY, "end")) for word in words)
    )
    engine = Engine([(many, number) for number in range(9)], EventKind.MESSAGE, _today)
    assert engine.decide({"subject": "it is W150, to the END"}) == (list(range(9)), False)
    assert engine.decide({"subject": "it is W150, to the end."}) == ((), False)


@pytest.mark.parametrize(
    "value", [True, False, 1, 0, "true", "1", None, [], ["true"], [True, False], {"a": 1}, 1.0]
)
def test_a_guard_says_of_every_value_what_its_clause_says(value: Any) -> None:
    """What is remembered of one value is never taken for another one that only equals it.

    `true` is not 1.
    """
    flag: Node = Leaf("is_quarantined", (Text(("true",)),))
    word = Leaf("subject", (Text((Wildcard.MANY, "word", Wildcard.MANY)),))
    rules: list[Node] = [
        And((word, flag)),
        And((word, Not(Named("filter", flag)))),
        And((word, Not(Or((flag, flag))))),
    ] * 3
    engine = Engine(
        [(rule, number) for number, rule in enumerate(rules)], EventKind.MESSAGE, _today
    )
    for odd in (True, 1, "true", None, value):
        record = {"subject": "a word", "is_quarantined": odd}
        hits, undecided = engine.decide(record)
        assert list(hits) == [
            number for number, rule in enumerate(rules) if interpret(rule, record)
        ]
        assert not undecided
