"""Element conditions: a mapping under a field of objects, which one element satisfies."""

from pathlib import Path
from typing import Any

import pytest

from tests.rules.folders import is_match, load, message, problems, report, responding

SMALL = {"filename": "a.html", "size": 10}
LARGE = {"filename": "b.HTML", "size": 20_000}
OTHER = {"filename": "c.pdf", "size": 20_000}
HTML = "{filename|endswith: .html, size|gt: 10000}"
PAYPAL = {"text": "Sign in to PayPal", "href": "https://www.paypal.com/x"}
FALSE = {"text": "Sign in to PayPal", "href": "https://x.test/paypal.com"}
PLAIN = {"text": "Unsubscribe", "href": "https://x.test/u"}
LINK = "{text|contains: paypal, href_domain|neq: paypal.com}"
ATTACHMENTS = "detections.attachments"

MEANINGS: list[tuple[str, dict[str, Any] | None, bool | None]] = [
    (f"{ATTACHMENTS}: {HTML}", {"attachments": [LARGE]}, True),
    (f"{ATTACHMENTS}: {HTML}", {"attachments": [SMALL, OTHER]}, False),
    (f"{ATTACHMENTS}: {HTML}", {"attachments": [SMALL, OTHER, LARGE]}, True),
    (f"{ATTACHMENTS}: {HTML}", {"attachments": LARGE}, True),
    (f"{ATTACHMENTS}: {HTML}", {"attachments": []}, False),
    (f"{ATTACHMENTS}: {HTML}", {}, False),
    (f"{ATTACHMENTS}: {HTML}", None, None),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", {"attachments": [LARGE, OTHER]}, True),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", {"attachments": [LARGE, SMALL]}, False),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", {"attachments": []}, False),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", {}, False),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", {"attachments": [None, LARGE]}, True),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", {"attachments": ["odd", LARGE]}, False),
    (f"{ATTACHMENTS}|all: {{size|gt: 10000}}", None, None),
    (f"{ATTACHMENTS}: {{md5: null, filename: c.pdf}}", {"attachments": [OTHER]}, True),
    (f"{ATTACHMENTS}: {{md5: null}}", {"attachments": []}, False),
    (f"{ATTACHMENTS}: [{{size: 10}}, {{filename: c.pdf}}]", {"attachments": [SMALL]}, True),
    (f"{ATTACHMENTS}: [{{size: 1}}, {{filename: d.pdf}}]", {"attachments": [SMALL]}, False),
    (
        f"{ATTACHMENTS}|all: [{{size: 10}}, {{filename: c.pdf}}]",
        {"attachments": [SMALL, OTHER]},
        True,
    ),
    (f"detections.links: {LINK}", {"links": [PAYPAL, PLAIN]}, False),
    (f"detections.links: {LINK}", {"links": [PAYPAL, FALSE]}, True),
    ("detections.links: {text|fieldref|contains: href_domain}", {"links": [PLAIN]}, False),
    (
        "detections.links: {text|fieldref|contains: href_domain}",
        {"links": [{"text": "to X.test", "href": "https://a.x.test"}]},
        True,
    ),
    ("detections.links: {href_domain|fieldref: from_domain}", {"links": [PLAIN]}, True),
    ("detections.links: {href_domain|fieldref|neq: from_domain}", {"links": [PLAIN]}, False),
    ("detections.links: {href_domain|fieldref|neq: from_domain}", {"links": [PAYPAL]}, True),
    (
        "detections.headers: {name: X-Mailer, value|startswith: bulk}",
        {"headers": [{"name": "x-mailer", "value": "Bulk 1"}]},
        True,
    ),
    (
        "detections.headers: {name: X-Mailer, value|startswith: bulk}",
        {"headers": [{"name": "x-mailer", "value": "a"}, {"name": "x", "value": "bulk"}]},
        False,
    ),
    ("detections.sender_info: {as_number: 5, geo: X}", {"sender_info": {"as_number": 5}}, False),
]


@pytest.mark.parametrize("number", [1, 9])
@pytest.mark.parametrize(("selection", "detections", "expected"), MEANINGS)
def test_one_element_satisfies_all_of_it(
    tmp_path: Path,
    selection: str,
    detections: dict[str, Any] | None,
    expected: bool | None,  # noqa: FBT001
    number: int,
) -> None:
    """One element, or with `all` every one of at least one; alone and in an index."""
    detection = f"sel: {{{selection}}}\ncondition: sel"
    names = ["a_rule", *(f"other_{index}" for index in range(1, number))]
    files = {
        f"{name}.yml": responding(
            detection, name=f"name: {name}", id=f"id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c{index}"
        )
        for index, name in enumerate(names, 10)
    }
    fetched = {} if detections is None else {"detections": detections}

    event = message(from_="a@mail.x.test", **fetched)

    assert is_match(load(tmp_path, files), event) is expected


def test_an_element_of_the_message_is_unknown_before_the_message_is(tmp_path: Path) -> None:
    """A report may match as long as its message is not known."""
    rule = responding(
        f"sel: {{title: a, message.detections.links: {LINK}}}\ncondition: sel"
    ).replace("category: message", "category: phishguard_report")
    rules = load(tmp_path, {"a_rule.yml": rule})

    assert rules.may_match(report(title="a")) is True
    assert rules.may_match(report(title="b")) is False
    known = {"from": "a@x.test", "detections": {"links": [FALSE]}}
    assert is_match(rules, report(title="a", message=known)) is True


REFUSED = [
    ("detections.links: {herf: a}", "an element of detections.links has no such field"),
    ("detections.links: {herf: a}", "did you mean 'href'?"),
    ("detections.links: {message.from: a}", "an element of detections.links has no such field"),
    ("detections.links|contains: {href: a}", "the only modifier of an element condition is all"),
    ("detections.links: {}", "the selection is empty"),
    ("detections.links: [null, {href: a}]", "keywords are not supported"),
    ("detections.attachments: {size: big}", "size is a number"),
    ("detections: {links: a}", "a field takes a value or a flat list of values"),
    ("subject: {contains: a}", "a field takes a value or a flat list of values"),
    ("detections.links: {href|fieldref: nothing}", "has no such field"),
    ("detections.links: pay", "is an object"),
]


@pytest.mark.parametrize(("selection", "said"), REFUSED)
def test_what_is_no_element_condition_is_refused(tmp_path: Path, selection: str, said: str) -> None:
    """Each slip is named with its place and what to write instead."""
    found = problems(tmp_path, {"a_rule.yml": responding(f"sel: {{{selection}}}\ncondition: sel")})

    assert any(said in problem for problem in found), found


def test_explaining_shows_each_element(tmp_path: Path) -> None:
    """Each element has its outcome, with the full names of its fields and its own values."""
    rules = load(
        tmp_path,
        {"a_rule.yml": responding(f"sel: {{detections.links: {LINK}}}\ncondition: sel")},
    )

    (tree,) = rules.explain("a_rule", message(detections={"links": [PAYPAL, FALSE]}))

    node = tree.children[0].children[0]
    assert (node.label, node.outcome) == ("one of detections.links", True)
    assert [(one.label, one.outcome) for one in node.children] == [
        ("detections.links[0]", False),
        ("detections.links[1]", True),
    ]
    text = node.children[1].children[0].children[0]
    assert (text.field, text.actual) == ("detections.links.text", ("Sign in to PayPal",))


def test_explaining_what_is_unknown_shows_the_condition(tmp_path: Path) -> None:
    """Before /detections is fetched, the condition is shown with no outcome."""
    rules = load(
        tmp_path,
        {"a_rule.yml": responding(f"sel: {{detections.links: {LINK}}}\ncondition: sel")},
    )

    (tree,) = rules.explain("a_rule", message())

    node = tree.children[0].children[0]
    assert node.outcome is None
    assert node.children[0].children[0].field == "detections.links.text"
    assert node.children[0].children[0].outcome is None
