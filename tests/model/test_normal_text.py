"""Texts that people cannot tell apart have one normal form."""

import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.normal_text import NORMAL_FORMS, normal_form

_HARD = st.sampled_from(
    [
        *"Éß\u0301\u0307\u0345İ\u0131Σς\u00a8\u037a\ufdfa\u1e9e\u212a\uffa0\ud800",
        *" \t\r\n\u2800\u200b\u00ad",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(_HARD, max_size=10).map("".join))


@given(TEXTS)
def test_the_form_of_a_form_is_itself(text: str) -> None:
    """Normal forms are computed once, and again without a change."""
    assert normal_form(normal_form(text)) == normal_form(text)


def test_every_character_has_a_stable_form() -> None:
    """No single character of Unicode needs a second pass."""
    characters = map(chr, range(sys.maxunicode + 1))
    assert [one for one in characters if normal_form(normal_form(one)) != normal_form(one)] == []


_SAME: list[Callable[[str], str]] = [
    str.upper,
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace(" ", "\r\n "),
    lambda text: text.replace(" ", " \t \u3000"),
    lambda text: text.replace("e", "e\u200b"),
    lambda text: text.replace("t", "\u00adt"),
    lambda text: text.replace("i", "i\ufe0f"),
    lambda text: text.replace("r", "\u202er\u202c"),
    lambda text: text.replace("a", "\uff41"),
    lambda text: text.replace("fi", "\ufb01"),
    lambda text: text.replace("k", "\u212a"),
]
_WORDS = st.sampled_from(["réinitialisation", "kontonummer", "fichier", "Straße", "ПАРОЛЬ", "例"])


@given(words=st.lists(_WORDS, min_size=1, max_size=4), changes=st.lists(st.sampled_from(_SAME)))
def test_what_looks_the_same_is_the_same(
    words: list[str], changes: list[Callable[[str], str]]
) -> None:
    """Any changes that nobody sees leave the normal form as it is."""
    text = changed = " ".join(words)
    for change in changes:
        changed = change(changed)
    assert normal_form(changed) == normal_form(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Your  Invoice", "your invoice"),
        ("a\tb\x0bc", "a b c"),
        (" a ", " a "),
        ("re\u0301init", "r\u00e9init"),
        ("pay\u200bpal", "paypal"),
        ("\uff30\uff41\uff59", "pay"),
        ("Straße", "strasse"),
        ("", ""),
    ],
)
def test_forms(text: str, form: str) -> None:
    """Case, composition, width, blanks and invisible characters go; letters stay."""
    assert normal_form(text) == form


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_fast_path_agrees(text: str) -> None:
    """ASCII takes a short way to the same form."""
    assert normal_form(text + "\u00e9") == normal_form(text) + "\u00e9"


def test_the_kept_form_is_the_form() -> None:
    """A look-up gives what the function gives."""
    assert NORMAL_FORMS["A\u00a0B"] == NORMAL_FORMS["A\u00a0B"] == "a b"
