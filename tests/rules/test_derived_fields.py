"""Derived fields in conditions, references, groups, templates, explanations and test events."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from clawback.backtest.replay import Backtest
from clawback.model.derived_fields import DERIVATIONS
from clawback.model.events import EventKind, build_event, message_event
from clawback.rules.engine.explanation import Explanation
from clawback.rules.source.field_catalogue import FIELDS, Field, FieldType
from clawback.rules.tools.clues import choose_clues
from clawback.rules.tools.schema import rule_schema
from tests.rules.folders import NOW, block, is_match, load, message, problems, report, responding

VALIDATOR = Draft202012Validator(rule_schema())
FIELD_PAGE = Path(__file__).parents[2] / "docs" / "rules" / "fields.md"
LINKS = {"links": [{"href": "https://a@x.test/", "text": "b"}, {"href": "#top"}]}
MEANINGS: list[tuple[str, dict[str, Any], bool | None]] = [
    ("from_domain: x.co.uk", {"from": "a@mail.X.co.uk"}, True),
    ("from_domain: mail.x.co.uk", {"from": "a@mail.x.co.uk"}, False),
    ("from_domain: null", {}, True),
    ("from_domain: null", {"from": "nobody"}, True),
    ("from_domain|exists: true", {"from": "a@x.test"}, True),
    ("from_domain|neq: x.test", {"from": "a@y.test"}, True),
    ("from_mailbox: ab@gmail.com", {"from": "A.B+news@googlemail.com"}, True),
    ("from_mailbox: a@x.test", {"from": "a+b@y.test"}, False),
    ("replyto_domain|fieldref: from_domain", {"replyto": "a@b.x.test", "from": "c@x.test"}, True),
    ("replyto_domain|fieldref: from_domain", {"replyto": "a@y.test", "from": "c@x.test"}, False),
    ("replyto_domain|fieldref: from_domain", {"from": "c@x.test"}, False),
    ("envelope_domain|endswith: .test", {"envelope_from": "a@x.test"}, True),
    ("detections.links.href_domain: x.test", {"detections": LINKS}, True),
    ("detections.links.href_domain: null", {"detections": LINKS}, True),
    ("detections.links.href_domain: x.test", {"detections": {}}, False),
    ("detections.links.href_domain: x.test", {}, None),
    ("detections.links.href_domain|fieldref: from_domain", {"from": "a@x.test"}, None),
    ("recipient_count: 2", {"to": ["a@x.test"], "envelope_to": ["A@x.test", "b@x.test"]}, True),
    ("recipient_count: 0", {"to": []}, True),
    ("recipient_count: null", {}, True),
    ("link_count: 2", {"detections": LINKS}, True),
    ("link_count: 0", {"detections": {}}, True),
    ("link_count|gte: 0", {}, None),
    ("attachment_count|gt: 0", {"detections": {"attachments": [{"size": 1}]}}, True),
    ("attachment_count|lt: 1", {"detections": {"attachments": []}}, True),
    (
        "sent_delay|gte: 3600",
        {"sent_at": "2026-11-22T10:00:00+01:00", "scanned_at": "2026-11-22T10:00:00Z"},
        True,
    ),
    (
        "sent_delay|lt: 0",
        {"sent_at": "2026-11-22T10:00:01Z", "scanned_at": "2026-11-22T10:00:00Z"},
        True,
    ),
    ("sent_delay: null", {"sent_at": "yesterday", "scanned_at": "2026-11-22T10:00:00Z"}, True),
]


@pytest.mark.parametrize("number", [1, 9])
@pytest.mark.parametrize(("selection", "record", "expected"), MEANINGS)
def test_a_derived_field_is_what_follows_from_its_sources(
    tmp_path: Path,
    selection: str,
    record: dict[str, Any],
    expected: bool | None,  # noqa: FBT001
    number: int,
) -> None:
    """Alone and in an index, with its source, without it, and before it is fetched."""
    detection = f"sel: {{{selection}}}\ncondition: sel"
    names = ["a_rule", *(f"other_{index}" for index in range(1, number))]
    files = {
        f"{name}.yml": responding(
            detection, name=f"name: {name}", id=f"id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c{index}"
        )
        for index, name in enumerate(names, 10)
    }

    assert is_match(load(tmp_path, files), message(**record)) is expected


def test_a_field_of_the_message_is_derived_within_the_message(tmp_path: Path) -> None:
    """A report has the derived fields of its message, and those of what it reports."""
    rule = responding(
        "sel: {message.from_domain: x.test, message.link_count: 1, fields.from_domain: y.test}\n"
        "condition: sel"
    ).replace("category: message", "category: phishguard_report")
    known = {"from": "a@x.test", "detections": {"links": [{}]}}

    rules = load(tmp_path, {"a_rule.yml": rule})

    assert is_match(rules, report(message=known, fields={"from": "b@y.test"})) is True
    assert rules.may_match(report(fields={"from": "b@y.test"})) is True
    assert rules.may_match(report(fields={"from": "b@z.test"})) is False


def test_a_case_may_be_of_a_derived_field(tmp_path: Path) -> None:
    """`group-by` and the templates of actions take the derived value."""
    response = (
        "response: {mode: enforce, group-by: [from_domain], "
        "actions: [{block_sender: {pattern: '{from_domain}', kind: domain}}]}"
    )
    rule = responding("sel: {id|exists: true}\ncondition: sel", response=response)
    rules = load(tmp_path, {"a_rule.yml": rule})

    (one,) = rules.evaluate(message(from_="a@mail.x.test")).matches
    (other,) = rules.evaluate(message(from_="b@X.test")).matches

    assert one.plan.group == {"from_domain": "x.test"}
    assert one.plan.case_id == other.plan.case_id
    assert one.plan.actions[0].model_dump()["pattern"] == "x.test"


def test_explaining_shows_the_derived_value(tmp_path: Path) -> None:
    """An explanation has the value that the condition saw."""
    rule = responding("sel: {from_domain: y.test}\ncondition: sel")

    (tree,) = load(tmp_path, {"a_rule.yml": rule}).explain("a_rule", message(from_="a@b.x.test"))

    assert tree.children[0].children[0].actual == ("x.test",)


def test_a_test_event_gives_the_sources(tmp_path: Path) -> None:
    """Whoever writes a derived field into a test is told what to write instead."""
    rule = responding("sel: {from_domain: x.test}\ncondition: sel").replace(
        "event: {", "event: {from_domain: x.test, ", 1
    )

    (problem,) = problems(tmp_path, {"a_rule.yml": rule})

    assert "a test event has no derived fields; give from" in problem


def test_a_group_is_not_of_what_may_be_unknown(tmp_path: Path) -> None:
    """`link_count` comes from /detections, whatever its name."""
    response = (
        "response: {mode: enforce, group-by: [link_count], "
        "actions: [{move: {destination: JunkEmail}}]}"
    )
    rule = responding("sel: {id|exists: true}\ncondition: sel", response=response)

    (problem,) = problems(tmp_path, {"a_rule.yml": rule})

    assert "link_count comes from /detections" in problem


def test_every_derived_field_is_in_the_catalogue_beside_its_sources() -> None:
    """Each has an entry, and what it is derived from exists beside it."""
    fields = FIELDS[EventKind.MESSAGE]
    derived = [field for field in fields.values() if field.is_derived]

    assert {field.name.rpartition(".")[2] for field in derived} == set(DERIVATIONS)
    assert all(source in fields for field in derived for source in field.sources)


# ---- every derived field, wherever a field may stand

RECORD: dict[str, Any] = {
    "id": "one",
    "from": "ann+x@mail.x.co.uk",
    "replyto": "bob@y.test",
    "envelope_from": "bounce@z.test",
    "to": ["u@corp.test", "v@corp.test"],
    "sent_at": "2026-11-22T09:00:00Z",
    "scanned_at": "2026-11-22T10:00:00Z",
    "detections": {"links": [{"href": "https://www.w.test/"}], "attachments": [{"name": "a"}]},
}
VALUES = {
    "from_domain": "x.co.uk",
    "from_mailbox": "ann@mail.x.co.uk",
    "replyto_domain": "y.test",
    "envelope_domain": "z.test",
    "href_domain": "w.test",
    "recipient_count": "2",
    "link_count": "1",
    "attachment_count": "1",
    "sent_delay": "3600",
}
EVENTS = {
    EventKind.MESSAGE: build_event(EventKind.MESSAGE, RECORD, NOW),
    EventKind.PHISHGUARD_REPORT: build_event(
        EventKind.PHISHGUARD_REPORT,
        {"id": 7, "fields": {"from": RECORD["from"]}, "message": RECORD},
        NOW,
    ),
    EventKind.SUBMISSION: build_event(
        EventKind.SUBMISSION, {"submission_id": "s", "message": RECORD}, NOW
    ),
}
EVERY = [
    pytest.param(kind, field, id=f"{kind}-{field.name}")
    for kind in EventKind
    for field in FIELDS[kind].values()
    if field.is_derived
]
Kinds = pytest.mark.parametrize(("kind", "field"), EVERY)


def rule_of(kind: EventKind, selection: str, response: str = "") -> str:
    """A rule on a kind of event with one selection."""
    keys = {"response": response} if response else {}
    text = responding(f"sel: {{{selection}}}\ncondition: sel", **keys)
    return text.replace("category: message", f"category: {kind}")


def value_of(field: Field) -> str:
    """What the events have in a field."""
    return VALUES[field.name.rpartition(".")[2]]


@Kinds
def test_it_stands_in_conditions_references_explanations_and_backtests(
    tmp_path: Path, kind: EventKind, field: Field
) -> None:
    """One rule asks for its value and refers to it; the explanation and a backtest agree."""
    selection = f"{field.name}: {value_of(field)}, {field.name}|fieldref: {field.name}"
    rules = load(tmp_path, {"a_rule.yml": rule_of(kind, selection)})

    assert is_match(rules, EVENTS[kind]) is True
    (tree,) = rules.explain("a_rule", EVENTS[kind])
    assert (value_of(field),) in actual_values(tree)
    backtest = Backtest([rules])
    assert backtest.take(EVENTS[kind], None)
    backtest.finish()
    assert len(backtest.versions[0].cases) == 1


def actual_values(node: Explanation) -> list[tuple[str, ...]]:
    """What an explanation and those below it found in the event."""
    return [
        tuple(map(str, node.actual)),
        *(one for child in node.children for one in actual_values(child)),
    ]


@Kinds
def test_it_groups_and_fills_templates_where_it_is_known(
    tmp_path: Path, kind: EventKind, field: Field
) -> None:
    """A field of one value that needs no enrichment is a group of cases and of correlations."""
    response = (
        f"response: {{mode: enforce, group-by: [{field.name}], actions: "
        f"[{{protect_identity: {{display_name: 'of {{{field.name}}}', email: a@x.test}}}}]}}"
    )
    files = {"a_rule.yml": rule_of(kind, f"{field.name}|exists: true", response)}

    if field.many or field.enrichment:
        assert any("group:" in problem for problem in problems(tmp_path, files))
        return

    (match,) = load(tmp_path, files).evaluate(EVENTS[kind]).matches
    assert match.plan.group == {field.name: value_of(field)}
    assert match.plan.actions[0].model_dump()["display_name"] == f"of {value_of(field)}"


@Kinds
def test_it_is_counted_by_correlations_where_it_is_known(
    tmp_path: Path, kind: EventKind, field: Field
) -> None:
    """By its values, and by what numbers come to."""
    counts = ["value_count", "value_sum"] if field.type is FieldType.NUMBER else ["value_count"]
    for number, count in enumerate(counts):
        part = block(f"sel: {{{field.name}|exists: true}}\ncondition: sel")
        many = (
            "title: Many\nname: many\nstatus: experimental\n"
            f"correlation: {{type: {count}, rules: [a_block], timespan: 1h, "
            f"condition: {{field: {field.name}, gte: 2}}}}\n"
            "response: {mode: shadow, actions: [{move: {destination: JunkEmail}}]}\n"
            "tests:\n  - {name: one, events: [{at: 0h}], expect: {fires: 1}}\n"
            "  - {name: two, events: [{at: 0h}], expect: {fires: 0}}\n"
        )
        category = part.replace("category: message", f"category: {kind}")
        files = {"a_block.yml": category, "many.yml": many}
        folder = tmp_path / str(number)

        if field.enrichment:
            assert any("group:" in problem for problem in problems(folder, files))
        else:
            (match,) = load(folder, files).evaluate(EVENTS[kind]).matches
            assert match.values == (value_of(field),)


@Kinds
def test_it_is_in_the_schema_and_in_the_documentation(kind: EventKind, field: Field) -> None:
    """An editor completes it, and the page on fields has it."""
    rule = yaml.safe_load(rule_of(kind, f"{field.name}|exists: true"))
    wrong = yaml.safe_load(rule_of(kind, f"{field.name}x|exists: true"))
    rule["tests"] = wrong["tests"] = [
        {"name": "a", "event": {"id": "a"}, "expect": "match"},
        {"name": "b", "event": {"id": "b"}, "expect": "no match"},
    ]
    if kind is EventKind.PHISHGUARD_REPORT:
        rule["tests"] = [{**test, "event": {"id": 1}} for test in rule["tests"]]
    if kind is EventKind.SUBMISSION:
        rule["tests"] = [{**test, "event": {"submission_id": "a"}} for test in rule["tests"]]

    assert list(VALIDATOR.iter_errors(rule)) == []
    assert list(VALIDATOR.iter_errors(wrong)) != []
    assert f"| `{field.name.removeprefix('message.')}` |" in FIELD_PAGE.read_text(encoding="utf-8")


def test_a_scaffold_offers_derived_fields() -> None:
    """The domains of answers and links are what a next mail has too."""
    event = EVENTS[EventKind.MESSAGE]
    choice = choose_clues([message_event({**event.record, "final_disposition": "SPAM"}, NOW)])

    offered = {clue.field: clue.wanted for clue in choice.offered}

    assert offered["replyto_domain"] == "y.test"
    assert offered["detections.links.href_domain"] == "w.test"
