"""Rules, lists and the never-block list mean a name, whatever its notation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import BlockSender
from clawback.model.addresses import PatternKind
from clawback.model.events import SOURCES, EventKind
from clawback.model.events.canonical_record import Form, Forms
from clawback.rules.protected_people import ProtectedPeople
from clawback.rules.source.field_catalogue import CANONICAL_FORMS, FIELDS, as_group_value
from clawback.rules.source.safety import Safety
from tests.rules.folders import PLAIN, load, message

NAMES = ("pay@bücher.example", "PAY@XN--BCHER-KVA.EXAMPLE", "<pay@bu\u0308cher.example.>")
HOSTS = ("8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "[8.8.8.8]:25")


def _leaves(forms: Forms, prefix: str = "") -> Mapping[str, Form]:
    found: dict[str, Form] = {}
    for name, form in forms.items():
        if isinstance(form, Mapping):
            found |= _leaves(form, f"{prefix}{name}.")
        else:
            found[prefix + name] = form
    return found


@pytest.mark.parametrize("kind", EventKind)
def test_each_field_with_a_name_is_read_in_its_canonical_form(kind: EventKind) -> None:
    """Whatever the catalogue calls an address, a domain or an IP address has that form."""
    source = _leaves(SOURCES[kind].forms)
    read = [one for one in FIELDS[kind].values() if one.type in CANONICAL_FORMS]
    expected = {one.name: CANONICAL_FORMS[one.type] for one in read if not one.is_derived}
    assert source == expected


@pytest.mark.parametrize(
    "selection",
    [
        "from: Pay@Bücher.example",
        "from: pay@xn--bcher-kva.example",
        "from|cased: PAY@bücher.example",
        "from|endswith: '@xn--bcher-kva.example'",
        "from: ['x@x.test', 'pay@bu\\u0308cher.example']",
        "from|re: '^pay@xn--bcher-kva\\.example$'",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_condition_on_an_address_takes_any_notation(
    tmp_path: Path, selection: str, name: str
) -> None:
    """The value of the rule and that of the event may each have another notation."""
    selection = selection.replace("\\u0308", "\u0308")
    rules = load(tmp_path, {"a_rule.yml": PLAIN.replace("from: a@x.test}\n", selection + "}\n", 1)})
    assert rules.evaluate(message(from_=name)).matches
    assert not rules.evaluate(message(from_="pay@bucher.example")).matches


@pytest.mark.parametrize(
    "selection",
    [
        "smtp_previous_hop_ip|cidr: 8.8.8.0/24",
        "smtp_previous_hop_ip|cidr: '::ffff:8.8.8.0/120'",
        "smtp_previous_hop_ip: 8.8.8.8",
        "smtp_previous_hop_ip: '::ffff:808:808'",
        "smtp_previous_hop_ip|startswith: '8.8.8.'",
    ],
)
@pytest.mark.parametrize("host", HOSTS)
def test_a_condition_on_an_ip_address_takes_any_notation(
    tmp_path: Path, selection: str, host: str
) -> None:
    """IPv4 inside IPv6 is IPv4, in the rule and in the event."""
    rules = load(tmp_path, {"a_rule.yml": PLAIN.replace("from: a@x.test}\n", selection + "}\n", 1)})
    assert rules.evaluate(message(smtp_previous_hop_ip=host)).matches
    assert not rules.evaluate(message(smtp_previous_hop_ip="9.9.9.9")).matches


# ---- the never-block list


def _safety(**lists: Any) -> Safety:
    return Safety.model_validate({"never_block": lists})


@pytest.mark.parametrize("listed", ["8.8.8.0/24", "::ffff:8.8.8.0/120", "2002:808:808::/48"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_listed_network_is_never_blocked(listed: str, host: str) -> None:
    """A network on the list holds for its addresses in every notation."""
    safety = _safety(networks=[listed])
    assert safety.forbids(host, PatternKind.IP)
    assert not safety.forbids("9.9.9.9", PatternKind.IP)


@pytest.mark.parametrize("pattern", ["2002::/16", "::/0", "64:ff9b::/96", "2002:800::/24"])
def test_a_network_around_a_listed_one_is_never_blocked(pattern: str) -> None:
    """A block of a transition mechanism would block each IPv4 address inside it."""
    assert _safety(networks=["8.8.8.0/24"]).forbids(pattern, PatternKind.IP)
    assert not _safety(networks=["2606:4700::/32"]).forbids("2002::/16", PatternKind.IP)


@pytest.mark.parametrize("listed", NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_listed_address_is_never_blocked(listed: str, name: str) -> None:
    """An address on the list holds in every notation, and so does its domain."""
    safety = _safety(addresses=[listed.strip("<>").removesuffix(".")])
    assert safety.forbids(name, PatternKind.EMAIL)
    assert safety.forbids("BÜCHER.example", PatternKind.DOMAIN)


@pytest.mark.parametrize("listed", ["münchen.example", "XN--MNCHEN-3YA.example."])
def test_a_listed_domain_is_never_blocked(listed: str) -> None:
    """A suffix holds for addresses and subdomains in every notation, also in an expression."""
    safety = _safety(suffixes=[listed])
    assert safety.forbids("a@mail.MÜNCHEN.example", PatternKind.EMAIL)
    assert safety.forbids("xn--mnchen-3ya.example", PatternKind.DOMAIN)
    assert safety.forbids_expression(r"@münchen\.example$")
    assert safety.forbids_expression(r"@xn--mnchen")
    assert not safety.forbids("a@munchen.example", PatternKind.EMAIL)


def test_own_domains_are_protected_in_any_notation() -> None:
    """A domain that the API gives in Unicode is never blocked as A-labels either."""
    safety = Safety().with_own_domains({"MÜNCHEN.example."})
    assert safety.forbids("a@xn--mnchen-3ya.example", PatternKind.EMAIL)


@pytest.mark.parametrize(
    "name",
    ["b.o.s.s+x@gmail.com", "boss@googlemail.com", "SRS0=HHHH=TT=gmail.com=boss@forwarder.test"],
)
def test_other_names_of_a_listed_mailbox_are_never_blocked(name: str) -> None:
    """A block of a tagged or forwarded name would hit the mailbox on the list."""
    assert _safety(addresses=["boss@gmail.com"]).forbids(name, PatternKind.EMAIL)


@given(
    local=st.sampled_from(["boss", "Boss", " boss"]),
    domain=st.sampled_from(["bücher.example", "BÜCHER.EXAMPLE", "xn--bcher-kva.example."]),
)
def test_every_pair_of_notations_is_compared(local: str, domain: str) -> None:
    """Whatever the notation of the list and of the block, they are the same."""
    safety = _safety(addresses=["boss@bücher.example"])
    assert safety.forbids(f"{local}@{domain}", PatternKind.EMAIL)


# ---- what is written and grouped


def test_a_block_is_written_in_its_canonical_form() -> None:
    """Two notations of one sender make one block, with one history."""
    blocks = [BlockSender(pattern=name) for name in NAMES]
    assert {str(one.fields["pattern"]) for one in blocks} == {"pay@xn--bcher-kva.example"}
    assert len({one.guard_subject for one in blocks}) == 1
    assert blocks[0].describe_in_full().endswith("pay@xn--bcher-kva.example (pay@bücher.example)")


def test_a_mapped_private_address_is_no_pattern() -> None:
    """What the API would refuse in one notation is refused in all."""
    block = BlockSender(pattern="::ffff:10.1.2.3", kind=PatternKind.IP)
    assert block.problem == "not_a_public_ip"


def test_notations_are_one_group() -> None:
    """A group has one value for each notation."""
    sender = FIELDS[EventKind.MESSAGE]["from"]
    assert {as_group_value(sender, name) for name in NAMES} == {"pay@xn--bcher-kva.example"}


def test_protected_people_are_known_by_any_notation() -> None:
    """A pattern of the list may be in Unicode and the mailbox in A-labels."""
    people = ProtectedPeople(["*@bücher.example"])
    assert people.covers("Ceo@XN--BCHER-KVA.example")
    assert not people.covers("ceo@bucher.example")
