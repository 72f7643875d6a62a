"""What Sigma's words mean here.

Modifiers, values, conditions, fields, what is not known, exceptions, correlations.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from clawback.model.events import Enrichment, Event, EventKind
from clawback.rules import RuleSet
from clawback.rules.source.field_catalogue import FIELDS
from tests.rules.folders import LOGSOURCE, block, is_match, load, message, report, responding

MEANINGS: list[tuple[str, dict[str, Any], bool]] = [
    ("subject: invoice", {"subject": "Invoice"}, True),
    ("subject: invoice", {"subject": "invoices"}, False),
    ("subject: inv*", {"subject": "Invoices"}, True),
    ("subject: in?oice", {"subject": "invoice"}, True),
    ("subject: in?oice", {"subject": "inoice"}, False),
    (r"subject: 'inv\*'", {"subject": "inv*"}, True),
    (r"subject: 'inv\*'", {"subject": "invoice"}, False),
    (r"subject: 'inv\?*'", {"subject": "inv? yes"}, True),
    ("subject: [a, b]", {"subject": "B"}, True),
    ("subject: [a, b]", {"subject": "c"}, False),
    ("subject: ''", {"subject": ""}, True),
    ("subject: ''", {"subject": None}, False),
    ("subject: null", {"subject": None}, True),
    ("subject: null", {}, True),
    ("subject: null", {"subject": ""}, False),
    ("subject: '*'", {"subject": ""}, True),
    ("subject: '*'", {}, False),
    ("subject|exists: true", {"subject": "a"}, True),
    ("subject|exists: true", {"subject": None}, False),
    ("subject|exists: false", {}, True),
    ("to|exists: true", {"to": []}, False),
    ("to: a@x.test", {"to": ["b@x.test", "A@x.test"]}, True),
    ("to|endswith: '@y.test'", {"to": ["b@x.test", "A@x.test"]}, False),
    ("to: null", {"to": []}, True),
    ("subject|contains: voice", {"subject": "Invoice 5"}, True),
    ("subject|contains|all: [in, '5']", {"subject": "Invoice 5"}, True),
    ("subject|contains|all: [in, '6']", {"subject": "Invoice 5"}, False),
    ("subject|startswith: [re, fw]", {"subject": "FW: x"}, True),
    ("subject|endswith: x", {"subject": "FW: X"}, True),
    ("subject|cased: Invoice", {"subject": "Invoice"}, True),
    ("subject|cased: Invoice", {"subject": "invoice"}, False),
    ("subject|contains|cased: Voice", {"subject": "inVoice"}, True),
    ("subject|contains|cased: Voice", {"subject": "invoice"}, False),
    ("subject|re: 'inv[a-z]+ [0-9]'", {"subject": "an invoice 5"}, True),
    ("subject|re: 'INV[a-z]+'", {"subject": "invoice"}, False),
    ("subject|re|i: 'INV[a-z]+'", {"subject": "invoice"}, True),
    ("subject|re|s: 'a.b'", {"subject": "a\nb"}, True),
    ("subject|re: 'a.b'", {"subject": "a\nb"}, False),
    ("subject|re|m: '^b'", {"subject": "a\nb"}, True),
    ("subject|re: '^b'", {"subject": "a\nb"}, False),
    ("subject|re: 'a'", {"subject": "\ud800a"}, True),
    ("smtp_helo_server_ip|cidr: 10.0.0.0/8", {"smtp_helo_server_ip": "10.2.3.4"}, True),
    ("smtp_helo_server_ip|cidr: 10.0.0.0/8", {"smtp_helo_server_ip": "11.2.3.4"}, False),
    ("smtp_helo_server_ip|cidr: 10.0.0.0/8", {"smtp_helo_server_ip": "not one"}, False),
    ("smtp_helo_server_ip|cidr: '2001:db8::/32'", {"smtp_helo_server_ip": "2001:DB8::5"}, True),
    (
        "detections.findings.score|gte: 0.5",
        {"detections": {"findings": [{"score": 0.1}, {"score": 0.5}]}},
        True,
    ),
    (
        "detections.findings.score|gt: 0.5",
        {"detections": {"findings": [{"score": 0.1}, {"score": "0.5"}]}},
        False,
    ),
    ("detections.attachments.size|lt: 10", {"detections": {"attachments": [{"size": "9"}]}}, True),
    ("detections.attachments.size|lte: 10", {"detections": {"attachments": [{"size": 10}]}}, True),
    ("detections.attachments.size: 10", {"detections": {"attachments": [{"size": "10.0"}]}}, True),
    ("detections.attachments.size: 10", {"detections": {"attachments": [{"size": True}]}}, False),
    ("is_quarantined: true", {"is_quarantined": True}, True),
    ("is_quarantined: false", {"is_quarantined": False}, True),
    ("is_quarantined: false", {}, False),
    ("from|fieldref: replyto", {"from": "A@x.test", "replyto": "a@x.test"}, True),
    ("from|fieldref: replyto", {"from": "A@x.test", "replyto": "b@x.test"}, False),
    ("from|fieldref: replyto", {}, False),
    ("subject|fieldref|contains: from_name", {"subject": "Hello Ann", "from_name": "ann"}, True),
    ("subject|fieldref|startswith: from_name", {"subject": "Hello Ann", "from_name": "ann"}, False),
    ("subject|neq: a", {"subject": "b"}, True),
    ("subject|neq: a", {"subject": "a"}, False),
    ("subject|windash|contains: '-x'", {"subject": "say /x"}, True),
    ("subject|base64: secret", {"subject": "c2VjcmV0"}, True),
    ("subject|base64offset|contains: secret", {"subject": "xx " + "IHNlY3JldA=="}, True),
    ("subject|wide|base64: ab", {"subject": "YQBiAA=="}, True),
    ("scanned_at|hour: 3", {"scanned_at": "2026-11-22T05:10:00+02:00"}, True),
    ("scanned_at|hour: 5", {"scanned_at": "2026-11-22T05:10:00+02:00"}, False),
    ("scanned_at|year: 2026", {"scanned_at": "never"}, False),
    ("validation.spf: fail", {"validation": {"spf": "FAIL"}}, True),
    ("validation.spf: fail", {"validation": "fail"}, False),
    ("validation|exists: true", {"validation": {}}, True),
    ("from_name|expand: '%vips%'", {"from_name": "ann chief"}, True),
    ("from_name|expand|contains: '%vips%'", {"from_name": "Dr. Bob Boss"}, True),
    ("subject|expand: '%vips% calls'", {"subject": "Ann Chief calls"}, True),
    ("from_name|expand: '%vips%'", {"from_name": "someone"}, False),
]


@pytest.mark.parametrize(("selection", "record", "expected"), MEANINGS)
def test_a_selection_means_what_sigma_says(
    tmp_path: Path,
    selection: str,
    record: dict[str, Any],
    expected: bool,  # noqa: FBT001
) -> None:
    """Each modifier and each kind of value matches what it should and nothing else."""
    files = {
        "a_rule.yml": responding(f"sel: {{{selection}}}\ncondition: sel"),
        "lists/vips.yml": "values: [Ann Chief, Bob Boss]\n",
    }

    rules = load(tmp_path, files)

    assert is_match(rules, message(**record)) is expected


CONDITIONS: list[tuple[str, list[str], bool]] = [
    ("sel_a and sel_b", ["a", "b"], True),
    ("sel_a and sel_b", ["a"], False),
    ("sel_a or sel_b", ["b"], True),
    ("not sel_a", ["b"], True),
    ("sel_a and not (sel_b or other)", ["a", "c"], False),
    ("1 of sel_*", ["b"], True),
    ("any of sel_*", ["c"], False),
    ("all of sel_*", ["a", "b"], True),
    ("all of sel_*", ["a"], False),
    ("1 of them", ["c"], True),
    ("all of them", ["a", "b"], False),
    ("sel_a or sel_b and other", ["a"], True),
    ("[sel_a, other]", ["c"], True),
    ("[sel_a, other]", ["b"], False),
]


@pytest.mark.parametrize(("condition", "words", "expected"), CONDITIONS)
def test_a_condition_means_what_sigma_says(
    tmp_path: Path,
    condition: str,
    words: list[str],
    expected: bool,  # noqa: FBT001
) -> None:
    """Conditions join selections as Sigma does, with its precedence.

    A list of them is any of them.
    """
    detection = f"sel_a: {{to: a}}\nsel_b: {{to: b}}\nother: {{to: c}}\ncondition: {condition}"

    assert (
        is_match(load(tmp_path, {"a_rule.yml": responding(detection)}), message(to=words))
        is expected
    )


def test_a_list_of_mappings_is_any_of_them(tmp_path: Path) -> None:
    """A selection written as a list holds if one of its mappings does, each as a whole."""
    rules = load(
        tmp_path,
        {
            "a_rule.yml": responding(
                "sel:\n  - {from: a, subject: b}\n  - {from: c}\ncondition: sel"
            )
        },
    )

    assert is_match(rules, message(from_="a")) is False
    assert is_match(rules, message(from_="a", subject="b")) is True
    assert is_match(rules, message(from_="c")) is True


def test_rules_see_only_events_of_their_kind(tmp_path: Path) -> None:
    """A report is never a candidate for a rule on messages."""
    rules = load(tmp_path, {"a_rule.yml": responding("sel: {id|exists: true}\ncondition: sel")})

    assert is_match(rules, message()) is True
    assert is_match(rules, report()) is False


# ---- what is not known


ENRICHED = "known: {from: a}\nasked: {detections.links.href|contains: evil}\n"


@pytest.mark.parametrize(
    ("condition", "sender", "expected"),
    [
        ("known and asked", "b", False),
        ("known and asked", "a", None),
        ("known or asked", "a", True),
        ("known or asked", "b", None),
        ("asked", "a", None),
        ("not asked", "a", None),
        ("known and not asked", "b", False),
    ],
)
def test_enrichment_is_asked_for_only_where_it_matters(
    tmp_path: Path,
    condition: str,
    sender: str,
    expected: bool | None,  # noqa: FBT001
) -> None:
    """Without `detections` a rule is undecided exactly if the answer could change the result."""
    rules = load(tmp_path, {"a_rule.yml": responding(f"{ENRICHED}condition: {condition}")})

    assert is_match(rules, message(from_=sender)) is expected


def test_enrichment_decides(tmp_path: Path) -> None:
    """Once `/detections` is known, even as empty, nothing is undecided any more."""
    rules = load(tmp_path, {"a_rule.yml": responding(f"{ENRICHED}condition: known and asked")})
    event = message(from_="a")

    assert is_match(rules, event.with_detections({})) is False
    assert (
        is_match(rules, event.with_detections({"links": [{"href": "https://evil.test"}]})) is True
    )


def test_enrichment_of_a_report_is_that_of_its_message(tmp_path: Path) -> None:
    """On a report the joined message's detections are asked for.

    Without a message there is nothing to ask.
    """
    detection = "asked: {message.detections.links.href|contains: evil}\ncondition: asked"
    rule = responding(
        detection, logsource=LOGSOURCE.strip().replace("message}", "phishguard_report}")
    )
    rules = load(tmp_path, {"a_rule.yml": rule})

    assert is_match(rules, report()) is False
    joined = report(message={"id": "one"})
    assert is_match(rules, joined) is None
    assert is_match(rules, joined.with_detections({"links": [{"href": "evil"}]})) is True


def test_a_history_is_missing_after_the_detections(tmp_path: Path) -> None:
    """An undecided rule names what to read next; nothing once it is decided."""
    detection = "new: {history.messages: 0}\nasked: {detections.links.href|contains: evil}\n"
    rules = load(tmp_path, {"a_rule.yml": responding(f"{detection}condition: new and asked")})
    event = message(from_="a")
    linked = event.with_detections({"links": [{"href": "https://evil.test"}]})

    assert rules.missing_enrichment(event) is Enrichment.DETECTIONS
    assert rules.missing_enrichment(event.with_detections({})) is None
    assert rules.missing_enrichment(linked) is Enrichment.HISTORY
    assert is_match(rules, linked.enriched(Enrichment.HISTORY, {"messages": 0})) is True
    assert is_match(rules, linked.enriched(Enrichment.HISTORY, {})) is False


def test_the_history_on_a_report_is_that_of_the_message(tmp_path: Path) -> None:
    """It is asked for where the message is known, and never without one."""
    rule = responding(
        "new: {message.history.messages: 0}\ncondition: new",
        logsource=LOGSOURCE.strip().replace("message}", "phishguard_report}"),
    )
    rules = load(tmp_path, {"a_rule.yml": rule})
    joined = report(message={"id": "one"})

    assert is_match(rules, report()) is False
    assert is_match(rules, joined) is None
    assert is_match(rules, joined.enriched(Enrichment.HISTORY, {"messages": 0})) is True


def test_with_many_rules_undecided_is_still_seen(tmp_path: Path) -> None:
    """The index keeps rules that hang on enrichment among the candidates."""
    others = {
        f"rule_{n}.yml": responding(
            f"sel: {{from: s{n}}}\ncondition: sel",
            name=f"name: rule_{n}",
            id=f"id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7d{n}",
        )
        for n in range(10, 30)
    }
    rules = load(
        tmp_path, {**others, "a_rule.yml": responding(f"{ENRICHED}condition: known and asked")}
    )

    assert is_match(rules, message(from_="a")) is None
    assert is_match(rules, message(from_="s12")) is False
    assert [match.plan.rule for match in rules.evaluate(message(from_="S12")).matches] == [
        "rule_12"
    ]


# ---- exceptions


def _filter(rules: str, **keys: str) -> str:
    lines = "".join(f"{key}: {value}\n" for key, value in keys.items())
    body = block("training: {from|endswith: '@train.test'}\ncondition: not training", "a_filter")
    return f"owner: me@x.test\n{lines}" + body.replace("detection:", f"filter:\n  rules: {rules}")


def _filtered(folder: Path, rules: str, today: date = date(2026, 11, 22), **keys: str) -> RuleSet:
    rule = responding("sel: {subject: a}\ncondition: sel")
    return load(
        folder, {"a_rule.yml": rule, "exceptions/training.yml": _filter(rules, **keys)}, today
    )


@pytest.mark.parametrize(
    "rules", ["any", "[a_rule]", "a_rule", "[6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11]"]
)
def test_an_exception_applies(tmp_path: Path, rules: str) -> None:
    """A filter applies to any rule, or to those it names by name or id."""
    loaded = _filtered(tmp_path, rules)

    assert is_match(loaded, message(subject="a", from_="x@train.test")) is False
    assert is_match(loaded, message(subject="a", from_="x@other.test")) is True
    assert loaded.rules["a_rule"].exceptions == ("a_filter",)


@pytest.mark.parametrize(
    ("today", "applies"),
    [(date(2026, 11, 21), True), (date(2026, 11, 22), True), (date(2026, 11, 23), False)],
)
def test_an_exception_expires(tmp_path: Path, today: date, applies: bool) -> None:  # noqa: FBT001
    """`expires` is the last day on which an exception applies."""
    loaded = _filtered(tmp_path, "any", today, expires="2026-11-22")

    assert is_match(loaded, message(subject="a", from_="x@train.test")) is not applies
    assert loaded.filters[0].is_expired(today) is not applies


def test_an_exception_of_another_kind_does_not_apply(tmp_path: Path) -> None:
    """A filter for reports leaves message rules alone, even with `any`."""
    other = (
        _filter("any")
        .replace("category: message", "category: phishguard_report")
        .replace("from|endswith", "fields.from|endswith")
    )
    rules = load(
        tmp_path,
        {"a_rule.yml": responding("sel: {subject: a}\ncondition: sel"), "exceptions/x.yml": other},
    )

    assert is_match(rules, message(subject="a", from_="x@train.test")) is True


def test_an_exception_changes_the_version_of_its_rules(tmp_path: Path) -> None:
    """A rule's version covers what is excepted from it."""
    bare = load(tmp_path / "bare", {"a_rule.yml": responding("sel: {subject: a}\ncondition: sel")})
    excepted = _filtered(tmp_path / "excepted", "any")

    assert bare.rules["a_rule"].version != excepted.rules["a_rule"].version


# ---- versions


def test_versions_do_not_change_with_layout(tmp_path: Path) -> None:
    """Comments, order of keys and tests do not change a version; a value does."""
    text = responding("sel: {subject: a}\ncondition: sel")
    one = load(tmp_path / "one", {"a_rule.yml": text})
    same = load(
        tmp_path / "same",
        {"a_rule.yml": "# a comment\n" + text.replace("name: two", "name: second")},
    )
    other = load(tmp_path / "other", {"a_rule.yml": text.replace("JunkEmail", "DeletedItems")})

    assert one.version == same.version
    assert one.rules["a_rule"].version == same.rules["a_rule"].version
    assert one.version != other.version


# ---- correlations


def _correlation(folder: Path, body: str, blocks: dict[str, str]) -> RuleSet:
    files = {f"{name}.yml": block(detection, name) for name, detection in blocks.items()}
    tests = (
        "tests:\n  - {name: one, events: [{at: 0h}], expect: {fires: 1}}\n"
        "  - {name: two, events: [{at: 0h}], expect: {fires: 0}}\n"
    )
    response = "response: {mode: enforce, actions: [{block_sender: {pattern: '{who}'}}]}\n"
    head = "title: Many\nname: many\nstatus: stable\n"
    files["many.yml"] = f"{head}correlation: {{{body}}}\n{response}{tests}"
    return load(folder, files)


BLOCKS = {
    "first": "sel: {subject: a}\ncondition: sel",
    "second": "sel: {subject|startswith: a}\ncondition: sel",
}
ALIASES = "aliases: {who: {first: from, second: replyto}}"


def test_each_rule_of_a_temporal_correlation_gives_a_match(tmp_path: Path) -> None:
    """An event that matches two referenced rules counts for both, by the alias field of each."""
    rules = _correlation(
        tmp_path,
        f"type: temporal, rules: [first, second], group-by: [who], timespan: 5m, {ALIASES}",
        BLOCKS,
    )

    matches = rules.evaluate(message(subject="a", from_="A@x", replyto="b@x")).matches

    assert {(match.rule, match.plan.group["who"]) for match in matches} == {
        ("first", "a@x"),
        ("second", "b@x"),
    }
    assert matches[0].plan.correlation is not None
    assert matches[0].plan.correlation.rules == ("first", "second")
    assert matches[0].plan.correlation.timespan == timedelta(minutes=5)


def test_an_extended_condition_of_and_is_a_list_of_rules(tmp_path: Path) -> None:
    """`first and second` is the same as naming both rules."""
    rules = _correlation(
        tmp_path,
        f"type: temporal, group-by: [who], timespan: 5m, condition: first and second, {ALIASES}",
        BLOCKS,
    )

    assert rules.rules["many"].correlation is not None
    assert rules.rules["many"].correlation.rules == ("first", "second")


def test_value_count_says_what_it_counts(tmp_path: Path) -> None:
    """A value_count match carries the value, and its threshold may be exclusive."""
    counted = (
        "type: value_count, rules: [first], group-by: [who], timespan: 1d, "
        "condition: {field: subject, gt: 2}"
    )
    rules = _correlation(tmp_path, f"{counted}, aliases: {{who: {{first: from}}}}", BLOCKS)

    (match,) = rules.evaluate(message(subject="A", from_="a@x")).matches

    assert match.values == ("A",)
    assert match.plan.correlation is not None
    assert match.plan.correlation.at_least == 3


def test_value_count_counts_each_recipient_of_an_event(tmp_path: Path) -> None:
    """A match carries the different addresses, no more than would satisfy the correlation."""
    counted = (
        "type: value_count, rules: [first], group-by: [who], timespan: 1d, "
        "condition: {field: to, gte: 3}, aliases: {who: {first: from}}"
    )
    rules = _correlation(tmp_path, counted, BLOCKS)

    few, many = (
        rules.evaluate(message(subject="A", from_="a@x", to=to)).matches[0].values
        for to in (["B@x.test", "b@x.test", None, "c@x.test"], [f"{n}@x.test" for n in range(99)])
    )

    assert few == ("b@x.test", "c@x.test")
    assert len(many) == 3


def test_an_average_takes_one_number_of_each_event(tmp_path: Path) -> None:
    """The number is that of a field, derived or not, and the bound may have a fraction."""
    counted = (
        "type: value_avg, rules: [first], group-by: [who], timespan: 1d, "
        "condition: {field: recipient_count, gt: 1.5}, aliases: {who: {first: from}}"
    )
    rules = _correlation(tmp_path, counted, BLOCKS)

    (match,) = rules.evaluate(message(subject="A", from_="a@x", to=["b@x", "c@x"])).matches

    assert match.values == ("2",)
    assert match.plan.correlation is not None
    assert match.plan.correlation.bound is not None
    assert match.plan.correlation.bound.number == 1.5


# ---- explaining


def test_explaining_shows_every_leaf(tmp_path: Path) -> None:
    """An explanation has every leaf with its field, expected and actual values, and outcome."""
    rules = load(tmp_path, {"a_rule.yml": responding(f"{ENRICHED}condition: known and not asked")})

    (tree,) = rules.explain("a_rule", message(from_="b"))

    assert (tree.label, tree.outcome) == ("a_rule", False)
    known, negated = tree.children[0].children
    assert (known.label, known.outcome) == ("known", False)
    assert (known.children[0].field, known.children[0].expected, known.children[0].actual) == (
        "from",
        ("a",),
        ("b",),
    )
    assert (negated.label, negated.outcome) == ("not", None)
    leaf = negated.children[0].children[0]
    assert (leaf.field, leaf.outcome, leaf.actual) == ("detections.links.href", None, ())


def test_explaining_an_unknown_rule_is_an_error(tmp_path: Path) -> None:
    """A rule that is not there has no explanation."""
    rules = load(tmp_path, {"a_rule.yml": responding("sel: {subject: a}\ncondition: sel")})

    with pytest.raises(KeyError):
        rules.explain("nobody", message())


# ---- robustness and the catalogue


BLOCKING = (
    "response: {mode: enforce, group-by: [from], actions: [{block_sender: {pattern: '{from}'}}]}"
)


@pytest.mark.parametrize(
    "odd",
    [None, [], {}, 5, "x", [[["x"]]], {"from": {"from": 1}}, "\ud800", float("nan"), 10**400, True],
)
def test_odd_records_are_evaluated(tmp_path: Path, odd: Any) -> None:
    """Evaluation never raises for any value of a field, and its plan can be written as JSON."""
    rule = responding(
        "sel: {id|exists: true}\ncondition: sel",
        response=BLOCKING,
    )
    rules = load(tmp_path, {"a_rule.yml": rule})
    event = Event(
        EventKind.MESSAGE,
        "one",
        message().at,
        {"id": "one", "from": odd, "detections": odd, "validation": odd},
    )

    (match,) = rules.evaluate(event).matches

    assert (
        match.plan.model_validate_json(match.plan.model_dump_json()).case_id == match.plan.case_id
    )


def test_a_long_value_still_fits_a_plan(tmp_path: Path) -> None:
    """A sender longer than any address is cut, so that the plan can be read back."""
    rule = responding(
        "sel: {id|exists: true}\ncondition: sel",
        response=BLOCKING,
    )
    (match,) = load(tmp_path, {"a_rule.yml": rule}).evaluate(message(from_="a" * 5000)).matches

    assert match.plan.model_validate_json(match.plan.model_dump_json()) == match.plan


def test_the_catalogue_describes_every_field() -> None:
    """Every field has a description, an existing parent, and values exactly if it is an enum."""
    for kind, fields in FIELDS.items():
        for name, field in fields.items():
            parent = name.rpartition(".")[0]
            assert field.description, (kind, name)
            assert not parent or parent in fields, (kind, name)
            assert bool(field.values) == (field.type == "enum"), (kind, name)
