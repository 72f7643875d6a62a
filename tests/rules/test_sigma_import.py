"""Plain Sigma rules of other collections: what is taken, mapped and refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clawback.rules.source.sigma_import import ForeignRule, NotSigma, read_foreign_rules
from clawback.rules.tools.rule_writer import make_tests, write_document
from clawback.rules.tools.testing import run_tests
from tests.rules.folders import load, message

MAIL = """title: Invoice from a Free Domain
id: 0f6b1c3a-1111-4d0b-9a53-6b0f6a1b7c11
status: stable
description: Finds it
references: [https://example.test/a]
author: somebody
date: 2024/05/01
logsource: {product: m365, service: exchange}
detection:
    selection:
        SenderFromAddress|endswith: '@free.test'
        Subject|contains: [invoice, '*facture*']
    filter:
        DisplayName: Known
    condition: selection and not filter
fields: [Subject]
falsepositives: [Unknown]
level: high
"""


def only(text: str) -> ForeignRule:
    """The one rule of a text."""
    (rule,) = read_foreign_rules(text.encode())
    return rule


def test_a_rule_on_mail_is_taken(tmp_path: Path) -> None:
    """Its fields get the names that they have here, and it matches what it did."""
    rule = only(MAIL)
    assert rule.refused == []
    assert rule.renamed == {
        "SenderFromAddress": "from",
        "Subject": "subject",
        "DisplayName": "from_name",
    }
    assert rule.left_out == ["fields"]
    name = rule.document["name"]
    assert name == "invoice_from_a_free_domain"

    loaded = load(tmp_path, {f"{name}.yml": write_document(rule.document)}).rules[name]
    assert (loaded.status, loaded.response, loaded.level) == ("experimental", None, "high")
    rules = load(tmp_path, {})
    mail = {"from_": "a@free.test", "subject": "Your Invoice"}
    outcomes = [
        rules.explain(name, message(**mail, from_name=who))[0].outcome for who in ("x", "known")
    ]
    assert outcomes == [True, False]


def test_it_keeps_where_it_comes_from() -> None:
    """The id of the original is that of a related rule; dates get the form of Sigma 2."""
    document = only(MAIL).document
    assert document["related"] == [
        {"id": "0f6b1c3a-1111-4d0b-9a53-6b0f6a1b7c11", "type": "derived"}
    ]
    assert (document["date"], "id" in document) == ("2024-05-01", False)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("product: m365, service: exchange", "category: process_creation", "are not e-mail: cat"),
        ("DisplayName", "Body", "field 'Body': the API has no body of a message"),
        ("DisplayName", "CommandLine", "field 'CommandLine': no field here has that content"),
        ("SenderFromAddress|endswith", "from|contains", ""),
        ("detection:", "correlation: {}\ndetection:", "it is a correlation"),
        ("title: Invoice", "name: Invoice", "it has no title"),
        ("Subject|contains", "Sender|endswith", "two fields of a selection would both be from"),
    ],
)
def test_what_does_not_apply_is_refused(old: str, new: str, why: str) -> None:
    """Each reason is told."""
    refused = only(MAIL.replace(old, new)).refused
    assert any(why in one for one in refused) if why else refused == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\xff", "not UTF-8"),
        (b"a: [", "not YAML at line"),
        (b"a: &x 1\nb: *x", "line 2: an alias"),
        (b"a: 1\na: 2", "line 2: the key 'a' comes twice"),
    ],
    ids=["bytes", "broken", "alias", "twice"],
)
def test_what_is_not_sigma_is_refused(raw: bytes, why: str) -> None:
    """A file that cannot be read is named with the place."""
    with pytest.raises(NotSigma, match=why):
        read_foreign_rules(raw)


def test_tests_are_made_of_the_values(tmp_path: Path) -> None:
    """A rule that is to respond gets a positive and a negative test, which pass."""
    document = only(MAIL).document
    name = document["name"]
    rules = load(tmp_path, {f"{name}.yml": write_document(document)})
    tests = make_tests(rules, name, document["detection"])
    document |= {
        "id": "6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11",
        "response": {"mode": "shadow", "actions": [{"move": {"destination": "JunkEmail"}}]},
        "tests": tests,
    }
    rules = load(tmp_path, {f"{name}.yml": write_document(document)})
    assert [result.passed for result in run_tests(rules)] == [True, True]


def test_without_a_sample_there_are_no_tests(tmp_path: Path) -> None:
    """A regular expression gives no sample: no test is invented that would not hold."""
    document = only(MAIL.replace("Subject|contains", "Subject|re")).document
    document["detection"]["selection"]["subject|re"] = "^[0-9]{3}$"
    name = document["name"]
    rules = load(tmp_path, {f"{name}.yml": write_document(document)})
    assert make_tests(rules, name, document["detection"]) == []


VALUES = st.recursive(
    st.text(st.characters(codec="utf-8"), max_size=12) | st.integers(-99, 99) | st.booleans(),
    lambda some: (
        st.lists(some, min_size=1, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=6), some, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(document=st.dictionaries(st.text('abc: #-"', min_size=1, max_size=5), VALUES))
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    """Any text survives: quotes, control characters, what looks like numbers or comments."""
    assert (yaml.safe_load(write_document(document)) or {}) == document
