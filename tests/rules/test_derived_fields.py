"""Derived fields in conditions, references, groups, templates, explanations and test events."""

from pathlib import Path
from typing import Any

import pytest

from clawback.model.derived_fields import DERIVATIONS
from clawback.model.events import EventKind
from clawback.rules.source.field_catalogue import FIELDS
from tests.rules.folders import is_match, load, message, problems, report, responding

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
