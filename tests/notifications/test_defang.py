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
        ("43 > 10 x 2.1/h, 12.5% of 1.5MB, 2.1-2.5", "43 > 10 x 2.1/h, 12.5% of 1.5MB, 2.1-2.5"),
        ("1.2.3.4 2.1.com evil.com.2.1", "1[.]2[.]3[.]4 2[.]1[.]com evil[.]com[.]2[.]1"),
        ("2.1-evil.com a@2.1 http://2.1/x", "2[.]1-evil[.]com a@2[.]1 hxxp[:]//2[.]1/x"),
        ("\N{PILE OF POO}.test x\u0301.test", "\N{PILE OF POO}[.]test x\u0301[.]test"),
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
    assert re.search(r"(?<!\w)@\w", defanged) is None
    # Of each dot between two words, the word behind it begins with a digit: no host ends so.
    assert re.search(r"[^\s.][.\u3002\uff0e\uff61][^\W0-9]", defanged) is None
    assert re.search(r"[0-9]+(\.[0-9]+){3}", defanged) is None


@given(st.from_regex(r"([a-z0-9][a-z0-9-]{0,5}[.]){1,4}[a-z][a-z0-9-]{0,5}", fullmatch=True))
def test_no_dot_of_a_host_stays(host: str) -> None:
    """Also of one that begins like a number."""
    assert "." not in defang(host).replace("[.]", "")
