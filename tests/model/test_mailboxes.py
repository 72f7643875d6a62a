"""A sender's many names lead to one mailbox."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.mailboxes import (
    canonical_mailbox,
    mailbox_expression,
    mailbox_of_expression,
)


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("Alice@Example.test", "alice@example.test"),
        ("alice+invoices@example.test", "alice@example.test"),
        ("alice+a+b@example.test", "alice@example.test"),
        ("+alice@example.test", "+alice@example.test"),
        ("a.l.i.c.e+x@gmail.com", "alice@gmail.com"),
        ("ALICE@GoogleMail.com", "alice@gmail.com"),
        ("a.lice@example.test", "a.lice@example.test"),
        ("SRS0=HHHH=TT=example.test=alice@forwarder.test", "alice@example.test"),
        ("SRS0+HHHH=TT=example.test=alice@forwarder.test", "alice@example.test"),
        ("SRS0-HH+H=TT=example.test=alice@forwarder.test", "alice@example.test"),
        ("SRS1=GGGG=forwarder.test==HHHH=TT=example.test=alice@two.test", "alice@example.test"),
        ("bob+SRS=44ldt=IX=example.test=alice@two.test", "alice@example.test"),
        ("prvs=1234abcdef=alice@example.test", "alice@example.test"),
        ("btv1==0123456789a==alice@example.test", "alice@example.test"),
        ("list-bounces+bob=other.test@lists.test", "list-bounces@lists.test"),
        ("bounces-4711-bob=other.test@news.test", "bounces@news.test"),
        ("list-return-17-bob=other.test@lists.test", "list-return@lists.test"),
        ("owner-list@lists.test", "owner-list@lists.test"),
        ("bob=other.test@lists.test", "bob=other.test@lists.test"),
        (
            "SRS0=HHHH=TT=nodomain=alice@forwarder.test",
            "srs0=hhhh=tt=nodomain=alice@forwarder.test",
        ),
        ("prvs=alice@example.test", "prvs=alice@example.test"),
        ("SRS0=HHHH=TT=bücher.example=a+b@x.test", "a@xn--bcher-kva.example"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_mailboxes(address: str, mailbox: str) -> None:
    """What people, forwarders and lists add goes; what is ambiguous stays."""
    assert canonical_mailbox(address) == mailbox


_LOCAL = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
_TAG = st.from_regex(r"[a-zA-Z0-9+._-]{0,10}", fullmatch=True)


@given(local=_LOCAL, tag=_TAG, dots=st.sets(st.integers(1, 10)))
def test_every_name_of_a_gmail_mailbox_is_one(local: str, tag: str, dots: set[int]) -> None:
    """Dots, tags, case and the second domain of Gmail all lead to one mailbox."""
    dotted = "".join(f".{char}" if at in dots else char for at, char in enumerate(local))
    assert canonical_mailbox(f"{dotted.upper()}+{tag}@GOOGLEMAIL.com") == f"{local}@gmail.com"


def test_hostile_nesting_ends() -> None:
    """Layers upon layers of rewriting are decoded to the innermost address."""
    assert canonical_mailbox("prvs=1234abcdef=" * 15 + "a@x.test") == "a@x.test"


_NAMES = st.builds(
    "{}{}{}@{}".format,
    st.sampled_from(["ab", "a.b", "A.b", "a_b", "a-b", "bounces", "list-bounces", "owner", "b"]),
    st.sampled_from(["", ".c"]),
    st.sampled_from(["", "+", "+x", "+x+y", "-1-ann=one.test", ".x", "-x", "_ann=one.test"]),
    st.sampled_from(["gmail.com", "GoogleMail.com", "x.test", "y.x.test", "xn--bcher-kva.test"]),
)


@given(_NAMES, _NAMES)
def test_an_expression_finds_exactly_the_names_of_a_mailbox(name: str, other: str) -> None:
    """It finds an address if and only if that leads to the same mailbox."""
    expression = mailbox_expression(name)

    found = re2.search(expression, other.lower()) is not None

    assert re2.search(expression, name.lower()) is not None
    assert found == (canonical_mailbox(other) == canonical_mailbox(name))


@given(_NAMES)
def test_an_expression_leads_back_to_its_mailbox(name: str) -> None:
    """Whoever reads an entry of a list learns whose it is."""
    assert mailbox_of_expression(mailbox_expression(name)) == canonical_mailbox(name)


@pytest.mark.parametrize(
    "expression", ["^a@x.test$", r"a@x\.test", r".*@x\.test", "", "(?i)^a", "^$"]
)
def test_another_expression_is_of_no_mailbox(expression: str) -> None:
    """What people wrote on the list is not taken for an entry of ours."""
    assert mailbox_of_expression(expression) is None
