"""Finds senders that bear the name of somebody else.

The names come from lists of people (`people:` in a file of `lists/`) and from the account's
impersonation registry.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

import re2

from clawback.model.confusables import skeletons_of
from clawback.model.events import MESSAGE, Event, EventKind
from clawback.model.mailboxes import canonical_mailbox
from clawback.model.notations import canonical_address
from clawback.rules.source.condition import Node, leaves_of
from clawback.rules.source.correlations import Correlation
from clawback.rules.source.responses import Response

IMPERSONATES = "impersonates"
"""The field of a message: the name that its sender bears without being its owner."""

_CACHED = 4_096
_LONGEST = 320
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class ProtectedName(NamedTuple):
    """A name, and an address of its owner: with `*` and `?`, or (`is_regex`) RE2 found in it."""

    name: str
    address: str
    is_regex: bool = False


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    mailboxes: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    def has(self, address: str) -> bool:
        return canonical_mailbox(address) in self.mailboxes or any(
            pattern.search(canonical_address(address)) for pattern in self.patterns
        )


class ProtectedNames:
    """Names with the addresses of their owners. Names that look the same are one name."""

    def __init__(self, entries: Iterable[ProtectedName]) -> None:
        grouped: dict[str, list[ProtectedName]] = {}
        for entry in entries:
            if entry.name.strip() and entry.address.strip():
                grouped.setdefault(entry.name.strip(), []).append(entry)

        self._owners: dict[tuple[str, str], list[_Owner]] = {}
        for name, some in grouped.items():
            if (owner := _owner_of(name, some)) is not None:
                for key in skeletons_of(name)._asdict().items():
                    self._owners.setdefault(key, []).append(owner)

        self.find = lru_cache(maxsize=_CACHED)(self._find)

    def _find(self, name: str, address: str) -> str | None:
        """Give the name that a sender bears without being its owner; None if it is all right."""
        keys = skeletons_of(name.strip())._asdict().items()
        owners = [owner for key in keys for owner in self._owners.get(key, ())]
        if not owners or any(owner.has(address) for owner in owners):
            return None
        return owners[0].name

    def complete(self, event: Event) -> Event:
        """Give an event with `impersonates` in its message, if its sender impersonates somebody."""
        message = event.message
        name, address = message.get("from_name"), message.get("from")
        if not isinstance(name, str) or not isinstance(address, str) or IMPERSONATES in message:
            return event
        if not address.strip() or (found := self.find(name[:_LONGEST], address[:_LONGEST])) is None:
            return event

        marked = {**message, IMPERSONATES: found}
        is_message = event.kind is EventKind.MESSAGE
        return replace(event, record=marked if is_message else {**event.record, MESSAGE: marked})


def _owner_of(name: str, entries: Sequence[ProtectedName]) -> _Owner | None:
    """Give the owner of a name; None if an expression is invalid, for then nobody is a stranger."""
    plain = [entry.address for entry in entries if not entry.is_regex]
    wild = [one for one in plain if set("*?") & set(one)]
    try:
        patterns = (
            *(re.compile(translate(canonical_address(one).replace("[", "[[]"))) for one in wild),
            *(re2.compile(f"(?i){one.address}", _OPTIONS) for one in entries if one.is_regex),
        )
    except re2.error:
        return None

    mailboxes = frozenset(canonical_mailbox(one) for one in plain if one not in wild)
    return _Owner(name, mailboxes, patterns)


def names_of(people: Mapping[str, Sequence[str]]) -> list[ProtectedName]:
    """Give the entries of lists of people."""
    return [ProtectedName(name, one) for name, some in people.items() for one in some]


def asks_impersonation(
    tree: Node | None, response: Response | None, correlation: Correlation | None
) -> bool:
    """Whether a rule asks for `impersonates` anywhere."""
    groups = [one.group_by for one in (response, correlation) if one is not None]
    leaves = leaves_of(tree) if tree is not None else ()
    fields = [name for names in (*groups, *(leaf.fields for leaf in leaves)) for name in names]
    return any(name.rpartition(".")[2] == IMPERSONATES for name in fields)
