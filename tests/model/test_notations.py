"""Every notation of a domain, an address or an IP address has one canonical form."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.mailboxes import canonical_mailbox
from clawback.model.notations import (
    canonical_address,
    canonical_domain,
    canonical_ip,
    canonical_network,
    shown,
    unicode_domain,
)

FORMS = [
    canonical_domain,
    canonical_address,
    canonical_ip,
    canonical_network,
    canonical_mailbox,
    unicode_domain,
]

_HARD = st.sampled_from(
    [
        *'<>"\\@.+=[]:/%- \t\u00a0\u200b\u3002\u00ad',
        "xn--",
        "bücher",
        "BU\u0308CHER",
        "ß",
        "İ",
        "Σ",
        "рф",
        "😀",
        "\ud800",
        "prvs=1234abcdef=",
        "srs0=ab=cd=x.test=",
        "srs1=ab=x.test==ab=cd=x.test=",
        "bounces-",
        "gmail.com",
        "googlemail.com",
        "::ffff:",
        "2002:",
        "64:ff9b::",
        "8.8.8.8",
        "a",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(_HARD, max_size=12).map("".join))


@pytest.mark.parametrize("form", FORMS)
@given(text=TEXTS)
def test_forms_are_total_and_idempotent(form: Callable[[str], str], text: str) -> None:
    """No text makes a form raise, and the form of a form is itself."""
    assert form(form(text)) == form(text)


@given(st.from_regex(r"[\w.%+=/-]{1,9}@[\w-]{1,9}(\.[\w-]{1,4}){0,2}", fullmatch=True))
def test_an_address_without_brackets_is_as_with_brackets(address: str) -> None:
    """The usual address takes a short way to the same form."""
    assert canonical_address(address) == canonical_address(f"<{address}>")


@given(st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True))
def test_an_ip_address_without_blanks_is_as_with_blanks(address: str) -> None:
    """The usual IP address takes a short way to the same form."""
    assert canonical_ip(address) == canonical_ip(f" {address}")


# ---- domains

_LABELS = st.sampled_from(["bücher", "münchen", "рф", "例え", "paypal", "a-b", "😀", "faß"])
_DOMAINS = st.lists(_LABELS, min_size=1, max_size=3).map(".".join)
_NOTATIONS: list[Callable[[str], str]] = [
    str.upper,
    lambda text: text + ".",
    lambda text: f" {text}\r\n",
    lambda text: text.replace(".", "\u3002"),
    lambda text: text.replace("u", "\uff55"),
    lambda text: text.replace("ü", "u\u0308"),
    lambda text: text.replace("e", "e\u00ad"),
    canonical_domain,
    lambda text: canonical_domain(text).upper() + ".",
]


@given(domain=_DOMAINS, notation=st.sampled_from(_NOTATIONS))
def test_every_notation_of_a_domain_is_one(domain: str, notation: Callable[[str], str]) -> None:
    """Case, script, width, composition and a trailing dot change nothing about a domain."""
    # The upper case of the sharp s is another name.
    written = notation(domain.replace("ß", "ss") if notation is str.upper else domain)
    expected = domain.replace("ß", "ss") if notation is str.upper else domain
    assert canonical_domain(written) == canonical_domain(expected)


@given(domain=_DOMAINS)
def test_the_canonical_domain_is_ascii_and_shows_what_people_see(domain: str) -> None:
    """A-labels are ASCII, and lead back to the Unicode form."""
    canonical = canonical_domain(domain)
    assert canonical.isascii()
    assert unicode_domain(canonical) == domain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bücher.Example.", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("user.рф", "user.xn--p1ai"),
        ("a_b.test", "a_b.test"),
        ("xn--a.test", "xn--a.test"),
        ("\ud800.test", "\ud800.test"),
        ("", ""),
    ],
)
def test_domains(text: str, expected: str) -> None:
    """A domain that cannot be converted keeps its text."""
    assert canonical_domain(text) == expected


def test_a_forged_label_is_not_shown_as_another() -> None:
    """An A-label that no registry could hold is not shown as what it imitates."""
    forged = "xn--" + "PAYPAL\u200b".encode("punycode").decode("ascii")
    assert unicode_domain(forged) == forged


def test_both_forms_are_shown() -> None:
    """A name in ASCII comes with what people see, and an ordinary one alone."""
    assert shown("pay@xn--bcher-kva.example") == "pay@xn--bcher-kva.example (pay@bücher.example)"
    assert shown("pay@x.test") == "pay@x.test"


# ---- addresses


@pytest.mark.parametrize(
    "text",
    [
        "pay@bücher.example",
        "PAY@BÜCHER.EXAMPLE",
        "pay@xn--bcher-kva.example",
        "<pay@xn--bcher-kva.example.>",
        '"pay"@bu\u0308cher.example',
        " pay@b\u00fccher\uff0eexample ",
    ],
)
def test_every_notation_of_an_address_is_one(text: str) -> None:
    """Case, brackets, needless quotes and the notation of the domain change nothing."""
    assert canonical_address(text) == "pay@xn--bcher-kva.example"


def test_quotes_that_mean_something_stay() -> None:
    """A quoted local part with a blank is not the one without quotes."""
    assert canonical_address('"a b"@X.test') == '"a b"@x.test'


# ---- IP addresses


@given(number=st.integers(0, 2**32 - 1))
def test_every_notation_of_an_ipv4_address_is_one(number: int) -> None:
    """Mapped, 6to4, NAT64, bracketed, with a port or a zone: the same IPv4 address."""
    plain = str(IPv4Address(number))
    mapped = IPv6Address(0xFFFF_0000_0000 | number)
    six_to_four = IPv6Address(0x2002 << 112 | number << 80 | 1)
    nat64 = IPv6Address(0x64_FF9B << 96 | number)
    notations = [
        plain,
        f"[{plain}]",
        f"{plain}:25",
        f"::ffff:{plain}",
        str(mapped),
        mapped.exploded.upper(),
        f"[{mapped}]:25",
        f"[IPv6:{mapped}]",
        str(six_to_four),
        str(nat64),
        f"64:ff9b::{plain}",
        f" {nat64}%eth0 ",
    ]
    assert {canonical_ip(one) for one in notations} == {plain}


@given(number=st.integers(0, 2**128 - 1))
def test_an_ipv6_address_has_its_shortest_form(number: int) -> None:
    """Upper case, leading zeros, brackets, port and zone change nothing."""
    address = IPv6Address(number)
    notations = [str(address), address.exploded.upper(), f"[{address}]:25", f"{address}%1"]
    assert len({canonical_ip(one) for one in notations}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::ffff:8.8.8.0/120", "8.8.8.0/24"),
        ("2002:808:800::/40", "8.8.8.0/24"),
        ("64:ff9b::808:800/120", "8.8.8.0/24"),
        ("8.8.8.8/24", "8.8.8.0/24"),
        ("2002::/16", "2002::/16"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("2606:4700::/32", "2606:4700::/32"),
        ("2606:4700:0::1", "2606:4700::1"),
        ("Not an IP", "not an ip"),
        ("8.8.8.8/99", "8.8.8.8/99"),
    ],
)
def test_networks(text: str, expected: str) -> None:
    """A network inside a transition mechanism is the IPv4 network that it stands for."""
    assert canonical_network(text) == expected
