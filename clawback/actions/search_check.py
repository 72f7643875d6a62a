"""Checks that what a search returned is what was asked for, before anything is done to it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clawback.actions.base import MessageSearch
from clawback.model.notations import canonical_address, canonical_domain

MARGIN = timedelta(hours=1)
"""How far the time of a message may lie outside: the reference does not say which one counts."""


def is_wanted(search: MessageSearch, record: Mapping[str, Any], at: datetime) -> bool:
    """Whether a message fits the sender, the words of the subject and the time of a search.

    The sender is an address, or a domain with its subdomains, in From or in the envelope.
    """
    if not search.start - MARGIN <= at <= search.end + MARGIN:
        return False
    if search.sender and not _is_from(record, search.sender):
        return False
    subject = str(record.get("subject") or "").casefold()
    return all(word in subject for word in search.subject.casefold().split())


def _is_from(record: Mapping[str, Any], sender: str) -> bool:
    found = (record.get(name) for name in ("from", "envelope_from"))
    addresses = [canonical_address(one) for one in found if isinstance(one, str) and one]
    if "@" in sender.strip().lstrip("@"):
        return canonical_address(sender) in addresses

    domain = canonical_domain(sender.strip().lstrip("@"))
    hosts = [address.rpartition("@")[2] for address in addresses]
    return any(host == domain or host.endswith(f".{domain}") for host in hosts)
