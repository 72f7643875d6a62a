"""The kinds of policies there are: their fields, what is required, what lists filter and order by. Data only. Source: reference §1.6."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawback.simulator.checks import Check, boolean, nullable, one_of, text, typed_pattern

_PATTERN_TYPES = ("EMAIL", "DOMAIN", "IP")
_COMMENTS = nullable(text())


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of policy.

    `fields` are those a client may write; `defaults` fill what a create leaves out; `whole` checks the record as it would be and says
    what is wrong with `subject`; `same` names the fields in which two duplicates agree; `required_past_eol` those the OpenAPI document
    still demands. `fixed` are read-only fields with their value at creation.
    """

    name: str
    parameter: str
    fields: Mapping[str, Check]
    required: tuple[str, ...]
    orders: tuple[str, ...] = ("pattern", "created_at")
    filters: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    whole: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    subject: str = "pattern"
    same: tuple[str, ...] = ("pattern",)
    required_past_eol: tuple[str, ...] = ()
    replaceable: bool = False
    batch: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)


BLOCK_SENDERS = Resource(
    name="block_senders",
    parameter="pattern_id",
    fields={"pattern": text(1), "pattern_type": one_of(_PATTERN_TYPES), "is_regex": boolean, "comments": _COMMENTS},
    required=("pattern", "pattern_type", "is_regex"),
    filters=("pattern_type", "pattern"),
    defaults={"comments": None},
    whole=typed_pattern,
    same=("pattern", "pattern_type", "is_regex"),
    replaceable=True,
)

RESOURCES = (BLOCK_SENDERS,)
