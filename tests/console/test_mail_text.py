"""Text from mail on a page: visible, bounded, without a link."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.console.views.mail_text import show_address, show_mail_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Invoice \u202egnp.exe", "Invoice ⟨U+202E⟩gnp[.]exe"),
        ("a\u2069b", "a⟨U+2069⟩b"),
        ("line\r\nbreak", "line  break"),
        ("see https://evil.test/x", "see hxxps[:]//evil[.]test/x"),
        ("nul\x00", "nul⟨U+0000⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        (None, ""),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str | None, shown: str) -> None:
    """Control characters of all kinds become marks, links are broken."""
    assert show_mail_text(text) == shown


@given(st.text(max_size=400), st.integers(min_value=8, max_value=400))
def test_the_result_is_bounded_and_visible(text: str, limit: int) -> None:
    """Whatever comes in: no control character, never more bytes than the limit."""
    shown = show_mail_text(text, limit)
    assert len(shown.encode()) <= limit
    assert not [char for char in shown if unicodedata.category(char).startswith("C")]


def test_a_lone_surrogate_can_be_sent() -> None:
    """JSON can carry half a character; a page in UTF-8 cannot."""
    assert show_mail_text("half \ud800").encode()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ceo@example.test", "ceo@example[.]test"),
        (
            "a@xn--pypal-4ve.test",
            "a@xn--pypal-4ve[.]test (p\u0430ypal[.]test: Cyrillic and Latin)",
        ),
        (
            "a@p\u0430ypal.test",
            "a@p\u0430ypal[.]test (xn--pypal-4ve[.]test: Cyrillic and Latin)",
        ),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_an_international_domain_has_both_forms(address: str, shown: str) -> None:
    """Letters of two scripts in one domain are named in words."""
    assert show_address(address) == shown
