"""What other Sigma tools cannot read, or ignore, is named, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from clawback.cli.exits import ExitCode
from clawback.model.events import EventKind
from clawback.rules.lint.pure_sigma import find_own_sigma
from clawback.rules.loader import read_folder
from clawback.rules.source.field_catalogue import FIELDS
from clawback.rules.source.own_modifiers import OWN_MODIFIERS
from tests.cli.command import clawback
from tests.rules.folders import block, responding, write

RULES = Path(__file__).parents[2] / "rules"
SIGMA = {"correlation": SigmaCorrelationRule, "filter": SigmaFilter}
UNREADABLE = ("cannot read", "have no modifier")

NAMED: dict[str, tuple[dict[str, str], list[str]]] = {
    "an element condition": (
        {"x.yml": block("sel: {detections.links: {href: a}}\ncondition: sel")},
        ["x.yml:5:9: 'detections.links' a mapping instead of a value"],
    ),
    "an element condition in a list": (
        {"x.yml": block("sel: [{detections.links|all: [{href: a}]}]\ncondition: sel")},
        ["x.yml:5:10: 'detections.links|all' a mapping instead of a value"],
    ),
    "a modifier": (
        {"x.yml": block("sel: {from_name|confusable|contains: a}\ncondition: sel")},
        ["'from_name|confusable|contains' other Sigma tools have no modifier confusable"],
    ),
    "a modifier and a derived field of an element": (
        {
            "x.yml": block(
                "sel: {detections.links: {href_domain|lookalike: x.test}}\ncondition: sel"
            )
        },
        [
            "'detections.links' a mapping",
            "'href_domain|lookalike' other Sigma tools have no modifier lookalike",
            "'href_domain' derived from detections.links.href, which the API sends",
        ],
    ),
    "derived fields": (
        {"x.yml": block("sel: {from_domain: a, recipient_count|gt: 1}\ncondition: sel")},
        ["'from_domain' derived from from,", "'recipient_count' derived from to,"],
    ),
    "the history": (
        {"x.yml": block("sel: {history.messages: 0}\ncondition: sel")},
        ["'history.messages' clawback finds this out"],
    ),
    "an impersonation": (
        {"x.yml": block("sel: {impersonates|exists: true}\ncondition: sel")},
        ["'impersonates' clawback finds this out"],
    ),
    "a response": (
        {"a_rule.yml": responding("sel: {from: a}\ncondition: sel")},
        ["'response' a custom attribute", "'tests' a custom attribute"],
    ),
    "an exception": (
        {
            "exceptions/x.yml": "owner: me\nexpires: 2099-01-01\n"
            + block("sel: {from_domain: a}\ncondition: not sel").replace(
                "detection:", "filter:\n  rules: any"
            )
        },
        ["'owner' a custom", "'expires' a custom", "'from_domain' derived"],
    ),
    "a correlation of derived fields": (
        {
            "x.yml": block("sel: {from: a}\ncondition: sel")
            + "---\ntitle: M\nname: m\ncorrelation: {type: value_count, rules: [a_block], "
            "group-by: [from_mailbox], timespan: 1h, condition: {field: from_domain, gte: 2}}\n"
        },
        ["'from_mailbox' derived from from", "'from_domain' derived from from"],
    ),
    "plain Sigma": (
        {"x.yml": block("sel: {from|contains|all: [a, b], to|expand: '%x%'}\ncondition: sel")},
        [],
    ),
}


def own(folder: Path) -> list[str]:
    """Say what is not Sigma, without the code."""
    return [str(one).replace("not-sigma: ", "") for one in find_own_sigma(read_folder(folder))]


@pytest.mark.parametrize("case", NAMED)
def test_each_is_named_with_its_place(tmp_path: Path, case: str) -> None:
    """Nothing is left out, and nothing of Sigma is named."""
    files, expected = NAMED[case]

    found = own(write(tmp_path, {"lists/x.yml": "values: [a]\n", **files}))

    assert len(found) == len(expected), found
    assert all(any(one in line for line in found) for one in expected), found


def test_the_rest_is_what_a_tool_of_sigma_reads() -> None:
    """The judge is pySigma: it rejects exactly the shipped files with something it cannot read."""
    unreadable = {
        one.place.file
        for one in find_own_sigma(read_folder(RULES))
        if any(word in one.message for word in UNREADABLE)
    }
    rejected = {
        path.relative_to(RULES).as_posix()
        for path in RULES.rglob("*.yml")
        if path.name != "safety.yml"
        and path.parent.name != "lists"
        and is_rejected(path.read_text(encoding="utf-8"))
    }
    assert rejected == unreadable


def is_rejected(text: str) -> bool:
    """Whether pySigma cannot read one of the documents of a file."""
    try:
        for document in yaml.safe_load_all(text):
            kind: Any = next((SIGMA[key] for key in SIGMA if key in document), SigmaRule)
            kind.from_dict(document)
    except SigmaError:
        return True
    return False


@pytest.mark.parametrize("modifier", OWN_MODIFIERS)
def test_no_modifier_of_ours_is_one_of_sigma(modifier: str) -> None:
    """When pySigma gets one of the same name, it must no longer be named."""
    rule = (
        f"title: T\nlogsource: {{category: x}}\ndetection: {{s: {{a|{modifier}: b}}, condition: s}}"
    )
    assert is_rejected(rule)


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_field_that_the_api_does_not_send_is_named(tmp_path: Path, kind: EventKind) -> None:
    """And none that it sends."""
    fields = {
        name: field
        for name, field in FIELDS[kind].items()
        if field.type != "object" and "." not in name
    }
    items = ", ".join(f"{name}|exists: true" for name in fields)
    rule = block(f"sel: {{{items}}}\ncondition: sel")
    folder = write(tmp_path, {"x.yml": rule.replace("category: message", f"category: {kind}")})

    named = {one.text for one in find_own_sigma(read_folder(folder))}

    derived = {name for name, field in fields.items() if field.is_derived}
    assert named == derived | ({"impersonates"} & fields.keys())


def test_the_command_warns_only_when_asked(tmp_path: Path) -> None:
    """A warning fails nothing without --strict."""
    folder = str(write(tmp_path, {"x.yml": block("sel: {from_domain: a}\ncondition: sel")}))

    plain = clawback("rules", "check", folder)
    asked = clawback("rules", "check", folder, "--pure-sigma")
    strict = clawback("rules", "check", folder, "--pure-sigma", "--strict")

    assert "not-sigma" not in plain.stdout
    assert "not-sigma: 'from_domain' derived from from, which the API sends" in asked.stdout
    assert (plain.returncode, asked.returncode) == (ExitCode.OK, ExitCode.OK)
    assert strict.returncode == ExitCode.NO
