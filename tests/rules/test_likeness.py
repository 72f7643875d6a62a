"""The modifiers `confusable` and `lookalike`."""

from pathlib import Path
from typing import Any

import pytest

from tests.rules.folders import is_match, load, message, problems, responding

LISTS = {
    "lists/brands.yml": "values: [PayPal, Trust Wallet]\n",
    "lists/domains.yml": "values: [paypal.com, paypal.de, docusign.net]\n",
}
SIMILAR = "P\u0430yPa1"
MEANINGS: list[tuple[str, dict[str, Any], bool | None]] = [
    ("from_name|confusable: PayPal", {"from_name": SIMILAR}, True),
    ("from_name|confusable: PayPal", {"from_name": f" {SIMILAR} "}, True),
    ("from_name|confusable: PayPal", {"from_name": "PayPal"}, True),
    ("from_name|confusable: PayPal", {"from_name": f"{SIMILAR} Ltd"}, False),
    ("from_name|confusable|contains: paypal", {"from_name": f"The {SIMILAR} Team"}, True),
    ("from_name|confusable|startswith: paypal", {"from_name": f"{SIMILAR} Team"}, True),
    ("from_name|confusable|endswith: paypal", {"from_name": f"{SIMILAR} Team"}, False),
    ("from_name|confusable|contains|all: [paypal, team]", {"from_name": f"{SIMILAR} Team"}, True),
    ("from_name|confusable: Pay*", {"from_name": SIMILAR}, True),
    ("from_name|expand|confusable: '%brands%'", {"from_name": "TRUST  WA11ET"}, True),
    ("from_name|confusable|neq: PayPal", {"from_name": SIMILAR}, False),
    ("from_name|confusable|neq: PayPal", {}, True),
    ("from_name|confusable: PayPal", {}, False),
    ("from_domain|lookalike: paypal.com", {"from": "a@mail.paypa1.test"}, True),
    ("from_domain|lookalike: paypal.com", {"from": "a@paypal.com"}, False),
    ("from_domain|lookalike: [paypal.com, paypal.de]", {"from": "a@paypal.de"}, False),
    ("from_domain|lookalike|expand: '%domains%'", {"from": "a@paypal.de"}, False),
    ("from_domain|expand|lookalike: '%domains%'", {"from": "a@docusing.net"}, True),
    ("from_domain|lookalike: paypal.com", {}, False),
    ("from_domain|lookalike|neq: paypal.com", {"from": "a@paypal.com"}, True),
    ("detections.links.href_domain|lookalike: paypal.com", {}, None),
    (
        "detections.links: {href_domain|lookalike: paypal.com, text|confusable: paypal}",
        {"detections": {"links": [{"href": "https://paypal.test", "text": SIMILAR}]}},
        True,
    ),
]


@pytest.mark.parametrize("number", [1, 9])
@pytest.mark.parametrize(
    ("selection", "record", "expected"), MEANINGS, ids=[one[0] for one in MEANINGS]
)
def test_it_matches_what_looks_alike(
    tmp_path: Path,
    selection: str,
    record: dict[str, Any],
    expected: bool | None,  # noqa: FBT001
    number: int,
) -> None:
    """Alone and in an index, with Sigma's modifiers and within an element."""
    detection = f"sel: {{{selection}}}\ncondition: sel"
    names = ["a_rule", *(f"other_{index}" for index in range(1, number))]
    files = {
        f"{name}.yml": responding(
            detection, name=f"name: {name}", id=f"id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c{index}"
        )
        for index, name in enumerate(names, 10)
    }

    assert is_match(load(tmp_path, {**files, **LISTS}), message(**record)) is expected


REFUSED = [
    ("subject|confusable|re: pay", "confusable cannot be combined with re"),
    ("subject|confusable|cased: pay", "confusable cannot be combined with cased"),
    ("subject|confusable: 5", "confusable needs a string"),
    ("recipient_count|confusable: pay", "confusable needs a string field"),
    ("from_domain|lookalike|contains: pay", "lookalike cannot be combined with contains"),
    ("from_domain|lookalike: '*.paypal.com'", "lookalike needs domains without wildcards"),
    ("from|lookalike: paypal.com", "lookalike needs a domain field, such as from_domain"),
    ("from_name|confuseable: a", "did you mean 'confusable'?"),
]


@pytest.mark.parametrize(("selection", "said"), REFUSED)
def test_what_does_not_fit_is_refused(tmp_path: Path, selection: str, said: str) -> None:
    """Combinations and values that mean nothing are named with a remedy."""
    found = problems(tmp_path, {"a_rule.yml": responding(f"sel: {{{selection}}}\ncondition: sel")})

    assert any(said in problem for problem in found), found
