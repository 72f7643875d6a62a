"""Entries of ours on the policy lists of the account: how we recognise them, and how they ended."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import Field

from clawback.model.addresses import PatternKind
from clawback.model.claims import Claims
from clawback.model.mailboxes import mailbox_expression
from clawback.model.notations import canonical_address, canonical_network, parse_network
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

_REGEX_FLAGS = ("is_regex", "is_email_regex")
"""Fields that say that the pattern of an entry is a regular expression."""
_NAMES = ("pattern", "email", "domain")
"""Fields with an address, a domain or an IP address, which have several notations."""


class Resource(StrEnum):
    """The policy lists that clawback writes to, as the API names them below `settings`."""

    ALLOW_POLICIES = "allow_policies"
    BLOCK_SENDERS = "block_senders"
    IMPERSONATION_REGISTRY = "impersonation_registry"
    TRUSTED_DOMAINS = "trusted_domains"


class OwnedPolicy(Payload):
    """An entry of ours as it was created: `owner` is the mark in its comments."""

    id: str
    resource: Resource
    owner: str
    fields: dict[str, str | bool] = Field(default_factory=dict)

    def is_still(self, record: object) -> bool:
        """Whether an entry of the list is this one: it has our mark and the same fields."""
        return has_mark(record, self.owner) and has_fields(record, self.fields)


def block_fields(pattern: str, kind: PatternKind, *, variants: bool) -> dict[str, str | bool]:
    """Give the fields of an entry of `block_senders`; `variants` blocks all names of a mailbox."""
    return {
        "pattern": mailbox_expression(pattern) if variants else pattern,
        "pattern_type": kind.upper(),
        "is_regex": variants,
    }


class OwnedBlock(Payload):
    """A sender block of ours: its id, our mark, and what it matches.

    With `variants`, the entry is a regular expression for the names of the mailbox `pattern`.
    """

    id: str
    owner: str
    pattern: str
    kind: PatternKind
    variants: bool = False

    @property
    def policy(self) -> OwnedPolicy:
        """The same as an entry of the list `block_senders`."""
        fields = block_fields(self.pattern, self.kind, variants=self.variants)
        return OwnedPolicy(
            id=self.id, resource=Resource.BLOCK_SENDERS, owner=self.owner, fields=fields
        )


class ExpiringEntry(Payload):
    """An entry of ours that ends, which rule and case made it, and who wants it to stand."""

    rule: str
    case: str
    claims: Claims

    @property
    def expires_at(self) -> UtcDatetime:
        """The latest end that anybody wants; long ago if nobody does."""
        return self.claims.end or datetime.min.replace(tzinfo=UTC)


class ExpiringBlock(ExpiringEntry):
    """A block of ours that ends.

    `made_at` is None in what a block starts with: it was made when its first run started.
    """

    block: OwnedBlock
    made_at: UtcDatetime | None = None


class ExpiringPolicy(ExpiringEntry):
    """A policy of ours that ends, and the name of the action that created it."""

    policy: OwnedPolicy
    action: str


class Removal(StrEnum):
    """How an entry of ours ended; the values are outcomes in the audit."""

    REMOVED = "removed"
    GONE = "already_gone"
    LEFT_ALONE = "left_alone"
    """It no longer has our mark or our fields: whoever changed it keeps it."""
    CLAIMED = "still_claimed"
    """Other cases or people want it to stand; only the claim of the case has ended."""


class EndedPolicy(Payload):
    """What became of an entry that was to be removed."""

    removal: Removal


def has_mark(record: object, owner: str) -> bool:
    """Whether an entry of a list has the mark of a case in its comments."""
    return owner in (getattr(record, "comments", None) or "")


def has_fields(record: object, fields: Mapping[str, str | bool]) -> bool:
    r"""Whether an entry of a list has these fields.

    Case and notation do not matter, except where a text is a regular expression: `\S` is not `\s`.
    """
    normalise = _normaliser(fields)
    return all(
        normalise(name, getattr(record, name, None)) == normalise(name, value)
        for name, value in fields.items()
    )


def normalised_fields(fields: Mapping[str, object]) -> frozenset[tuple[str, object]]:
    """Return the fields of an entry such that equal ones are the same entry to `has_fields`."""
    normalise = _normaliser(fields)
    return frozenset((name, normalise(name, value)) for name, value in fields.items())


def _normaliser(fields: Mapping[str, object]) -> Callable[[str, object], object]:
    is_regex = any(fields.get(name) is True for name in _REGEX_FLAGS)
    return _fill_in if is_regex else _fold


def _fold(name: str, value: object) -> object:
    if not isinstance(value, str):
        return _fill_in(name, value)
    if name not in _NAMES:
        return value.strip().casefold()
    # An entry of a list does not always say of what kind its pattern is.
    return canonical_network(value) if parse_network(value) else canonical_address(value)


def _fill_in(_: str, value: object) -> object:
    """The API leaves out what is false."""
    return value or False
