"""Defanged text reads like the original, and nothing in it can be clicked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.notifications.defang import defang


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://evil.test/a?b", "hxxps[:]//evil[.]test/a?b"),
        ("HTTP:\\\\evil.test", "hxxp[:]\\\\evil[.]test"),
        ("see evil。test now", "see evil[.]test now"),
        ("a\r\nBcc: b@c.test", "a Bcc: b@c[.]test"),
        ("@everyone come", "[@]everyone come"),
        ("in\u200bvis\u202eible", "invisible"),
        ("javascript:alert(1) mailto:x", "javascript[:]alert(1) mailto[:]x"),
        ("Invoice 3 is due.", "Invoice 3 is due."),
    ],
)
def test_links_mentions_and_invisible_characters_are_defanged(text: str, expected: str) -> None:
    """Plain text stays as it is."""
    assert defang(text) == expected


@given(st.text())
def test_no_text_survives_as_a_link_a_mention_or_a_second_line(text: str) -> None:
    """This holds for any input."""
    defanged = defang(text)
    assert len(defanged) <= 200
    assert "://" not in defanged
    assert "\n" not in defanged
    assert "\r" not in defanged
    assert re.search(r"\w\.\w|(?<!\w)@\w", defanged) is None
