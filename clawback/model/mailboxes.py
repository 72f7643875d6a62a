"""The mailbox behind a sender's many names: tags, dots, and what forwarders and lists add.

And the way back: an expression that finds the names of a mailbox.
"""

import re
from collections.abc import Callable

from clawback.model.notations import canonical_address

_LONGEST_ADDRESS = 320
_DOMAIN = r"[^\s=@+/.]+(?:\.[^\s=@+/.]+)+"
_GMAIL = frozenset({"gmail.com", "googlemail.com"})

_SRS0 = re.compile(rf"srs0[=+-][^=@]{{1,16}}=[a-z2-7]{{2}}=({_DOMAIN})=([^@]+)")
_SRS1 = re.compile(
    rf"srs1[=+-][^=@]{{1,16}}={_DOMAIN}=[=+-][^=@]{{1,16}}=[a-z2-7]{{2}}=({_DOMAIN})=([^@]+)"
)
# Exchange Online puts the mailbox that forwards before it.
_EXCHANGE_SRS = re.compile(rf"[^@+]+\+srs=[^=@]{{1,16}}=[a-z2-7]{{2}}=({_DOMAIN})=([^@]+)")
_BATV = re.compile(r"prvs=[0-9][0-9a-f]{9}=([^@]+)|btv1==[0-9a-f]+==([^@]+)")
# What follows the word is the recipient; a dash alone could be part of either name.
_BOUNCE_NAME = r"(?:[^@+=]*?[-_.])??(?:bounces?|returns?|owner|verp)"
_VERP = re.compile(rf"({_BOUNCE_NAME})[-_.+][^@]*={_DOMAIN}")
_BOUNCES = re.compile(_BOUNCE_NAME)

# The parts of an expression for the names of a mailbox.
_TAG = r"(?:\+[^@]*)?"
_BOUNCE_TAG = rf"(?:\+[^@]*|[-_.][^@]*={_DOMAIN})?"
_DOT = r"\.?"
_GMAIL_DOMAINS = r"g(?:oogle)?mail\.com"


def canonical_mailbox(text: str) -> str:
    """Give the address of the mailbox that an address belongs to, in its canonical form.

    Tags after a plus sign go, and the dots of Gmail, which has one more domain. SRS (forwarders)
    and BATV (signed bounces) are decoded to the original address, and VERP (a bounce address for
    each recipient) to the part that does not change. What is ambiguous stays. Never raises.
    """
    address = canonical_address(text)
    if len(address) > _LONGEST_ADDRESS:
        return address

    # Every step but the domain of Gmail makes it shorter, so this ends.
    while (reduced := _reduce(address)) != address:
        address = canonical_address(reduced)

    return address


def mailbox_expression(mailbox: str) -> str:
    """Give a regular expression that finds the names under which a mailbox itself sends.

    These are its tags, Gmail's dots and second domain, and the bounce addresses of a list; not
    what forwarders make of it. The syntax is common to Java, which the API reads, and RE2.
    """
    local, _, domain = canonical_mailbox(mailbox).rpartition("@")
    if domain in _GMAIL:
        return f"^{_DOT.join(map(re.escape, local))}{_TAG}@{_GMAIL_DOMAINS}$"

    tag = _BOUNCE_TAG if _BOUNCES.fullmatch(local) else _TAG
    return f"^{re.escape(local)}{tag}@{re.escape(domain)}$"


def mailbox_of_expression(expression: str) -> str | None:
    """Give the mailbox of a `mailbox_expression`; None if it is another expression."""
    plain = expression.replace(_BOUNCE_TAG, "").replace(_TAG, "").replace(_DOT, "")
    plain = plain.replace(_GMAIL_DOMAINS, "gmail.com")
    mailbox = plain.removeprefix("^").removesuffix("$").replace("\\", "")
    return mailbox if mailbox_expression(mailbox) == expression else None


def _reduce(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return address
    for step in _STEPS:
        if (reduced := step(local, domain)) is not None:
            return reduced
    return address


def _without_srs(local: str, _: str) -> str | None:
    for pattern in (_SRS0, _SRS1, _EXCHANGE_SRS):
        if (found := pattern.fullmatch(local)) is not None:
            return f"{found[2]}@{found[1]}"
    return None


def _without_batv(local: str, domain: str) -> str | None:
    found = _BATV.fullmatch(local)
    return None if found is None else f"{found[1] or found[2]}@{domain}"


def _without_recipient(local: str, domain: str) -> str | None:
    found = _VERP.fullmatch(local)
    return None if found is None or domain in _GMAIL else f"{found[1]}@{domain}"


def _without_tag(local: str, domain: str) -> str | None:
    name, plus, _ = local.partition("+")
    return f"{name}@{domain}" if plus and name else None


def _without_dots(local: str, domain: str) -> str | None:
    if domain not in _GMAIL:
        return None
    return f"{local.replace('.', '') or local}@gmail.com"


_STEPS: tuple[Callable[[str, str], str | None], ...] = (
    _without_srs,
    _without_batv,
    _without_recipient,
    _without_tag,
    _without_dots,
)
