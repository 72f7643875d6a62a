"""Texts that look alike, and domains that imitate others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.confusables import are_confusable
from clawback.model.edit_distance import edit_distance
from clawback.model.lookalikes import Lookalikes

ALIKE = [
    ("PayPal", "PAYPAL"),
    ("PayPal", "PayPaI"),
    ("PayPal", "paypa1"),
    ("PayPal", "\u0420\u0430yPal"),
    ("PayPal", "\u0440\u0430\u0443\u0440\u0430\u04cf"),
    (
        "PayPal",
        "\U0001d413\U0001d41a\U0001d432\U0001d40f\U0001d41a\U0001d425".replace("\U0001d413", "P"),
    ),
    ("PayPal", "Pay\u200bPal"),
    ("Microsoft", "rnicrosoft"),
    ("MICROSOFT", "M1CR0S0FT"),
    ("Ian PayPal", "ian paypaI"),
    ("Ann  Chief", "Ann\u00a0Chief"),
    ("\u0418\u0432\u0430\u043d", "\u0418\u0412\u0410\u041d"),
    ("Zo\u00eb", "Zoe\u0308"),
]


@pytest.mark.parametrize(("text", "other"), ALIKE, ids=range(len(ALIKE)))
def test_texts_that_look_alike_are_confusable(text: str, other: str) -> None:
    """Other scripts, digits, invisible characters and case deceive nobody."""
    assert are_confusable(text, other)
    assert are_confusable(other, text)


@pytest.mark.parametrize(
    ("text", "other"), [("Ann", "Anna"), ("Zo\u00eb", "Zoe"), ("Bob", "Rob"), ("nan", "van")]
)
def test_other_texts_are_not_confusable(text: str, other: str) -> None:
    """Letters that differ on sight tell texts apart."""
    assert not are_confusable(text, other)


@given(st.text(max_size=20))
def test_a_text_is_confusable_with_itself_in_any_case(text: str) -> None:
    """Whatever the script."""
    assert are_confusable(text, text)
    if text.upper().casefold() == text.casefold():
        assert are_confusable(text, text.upper())


IMITATED = [
    ("paypa1.test", "paypal.com"),
    ("paypal.test", "paypal.com"),
    ("mail.paypall.com", "paypal.com"),
    ("apypal.com", "paypal.com"),
    ("pypal.com", "paypal.com"),
    ("xn--pypal-4ve.test", "paypal.com"),
    ("rnicrosoft.com", "microsoft.com"),
    ("micorsofft.com", "microsoft.com"),
    ("dh1.com", "dhl.com"),
    ("paypal.com", None),
    ("www.paypal.com", None),
    ("PAYPAL.COM.", None),
    ("dhl.test", None),
    ("dhi.test", None),
    ("dh.com", None),
    ("pple.com", None),
    ("papa.com", None),
    ("example.com", None),
    ("192.0.2.1", None),
    ("", None),
]


@pytest.mark.parametrize(("domain", "expected"), IMITATED)
def test_a_domain_imitates_another_one(domain: str, expected: str | None) -> None:
    """A few edits, other letters or another suffix; the domain itself imitates nobody."""
    found = Lookalikes(["paypal.com", "www.microsoft.com", "dhl.com"]).find(domain)
    assert found == expected


@given(st.text("abc", min_size=5, max_size=12), st.text("abc", min_size=1, max_size=12))
def test_the_index_finds_what_a_comparison_of_all_finds(name: str, other: str) -> None:
    """What few characters less have in common leads to every name that is near."""
    near = edit_distance(name, other) <= (2 if len(name) >= 10 else 1)

    assert (Lookalikes([f"{name}.com"]).find(f"{other}.net") is not None) == near


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_the_distance_is_that_of_its_definition(text: str, other: str) -> None:
    """It is what a plain recursion gives."""
    assert edit_distance(text, other) == _distance(text, other)


def _distance(text: str, other: str) -> int:
    if not text or not other:
        return len(text) + len(other)
    costs = [
        _distance(text[1:], other) + 1,
        _distance(text, other[1:]) + 1,
        _distance(text[1:], other[1:]) + (text[0] != other[0]),
    ]
    if len(text) > 1 and len(other) > 1 and text[:2] == other[1::-1]:
        costs.append(_distance(text[2:], other[2:]) + 1)
    return min(costs)
