"""Registered domains of hosts, addresses and links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.domains import domain_of_address, domain_of_link, registered_domain

ADDRESSES: list[tuple[str, str | None]] = [
    ("a@x.test", "x.test"),
    ("a@mail.x.test", "x.test"),
    ("A@Mail.X.CO.UK.", "x.co.uk"),
    ("<a@x.co.uk>", "x.co.uk"),
    ('"a@b"@x.test', "x.test"),
    ("a@evil.web.app", "evil.web.app"),
    ("a@co.uk", "co.uk"),
    ("a@localhost", "localhost"),
    ("a@[192.0.2.1]", "192.0.2.1"),
    ("a@bücher.example", "xn--bcher-kva.example"),
    ("a@xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("a@under_score.x.test", "x.test"),
    ("a@", None),
    ("a", None),
    ("", None),
]


@pytest.mark.parametrize(("address", "expected"), ADDRESSES)
def test_an_address_has_a_registered_domain(address: str, expected: str | None) -> None:
    """The part after the last `@`, cut to what somebody registered."""
    assert domain_of_address(address) == expected


LINKS: list[tuple[str, str | None]] = [
    ("https://www.paypal.com/signin", "paypal.com"),
    ("https://www.paypal.com@x.test/pay", "x.test"),
    ("https://www.paypal.com:443@x.test:8443/", "x.test"),
    ("https://a@b@x.test", "x.test"),
    ("https://x.test/@paypal.com", "x.test"),
    ("https://x.test?@paypal.com", "x.test"),
    ("https://x.test#@paypal.com", "x.test"),
    (r"https:\\x.test\paypal.com", "x.test"),
    ("https:x.test/a", "x.test"),
    ("  HTTPS://X.TEST./ ", "x.test"),
    ("ht\ntps://x.\ttest/", "x.test"),
    ("https://%78.test/", "x.test"),
    ("https://a。x。test/", "x.test"),
    ("https://xn--pypal-4ve.test/", "xn--pypal-4ve.test"),
    ("https://p\u0430ypal.test/", "xn--pypal-4ve.test"),
    ("http://203.0.113.9:80/", "203.0.113.9"),
    ("http://3405803785/", "203.0.113.9"),
    ("http://0xcb007109/", "203.0.113.9"),
    ("http://0313.0.0161.011/", "203.0.113.9"),
    ("http://[2001:DB8::1]:80/", "2001:db8::1"),
    ("//x.test/a", "x.test"),
    ("www.paypal.com/a", "paypal.com"),
    ("www.paypal.com:443/a", "paypal.com"),
    ("mailto:Bob@mail.paypal.com?subject=a", "paypal.com"),
    ("image.png", None),
    ("abc", None),
    ("co.uk/a", None),
    ("/a/b", None),
    ("#top", None),
    ("tel:+15550100", None),
    ("cid:part1@x.test", None),
    ("javascript:alert(1)", None),
    ("data:text/html,x", None),
    ("https://", None),
    ("", None),
]


@pytest.mark.parametrize(("href", "expected"), LINKS)
def test_a_link_leads_where_a_browser_goes(href: str, expected: str | None) -> None:
    """What stands before an `@`, in the path or in another script deceives nobody."""
    assert domain_of_link(href) == expected


@given(st.text(max_size=60), st.sampled_from(["", "a@", "https://", "http://[", "mailto:", "//"]))
def test_any_text_has_a_domain_or_none(text: str, prefix: str) -> None:
    """Nothing raises, and a registered domain is its own registered domain."""
    for found in (domain_of_address(prefix + text), domain_of_link(prefix + text)):
        assert found is None or (found and registered_domain(found) == found)
