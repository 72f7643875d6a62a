"""The kinds of policies: fields, required fields, filters and orders. Source: reference §1.6."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawback.simulator.field_checks import (
    Check,
    address_or_network,
    boolean,
    domain,
    domain_pattern,
    email_pattern,
    integer,
    many,
    nullable,
    one_of,
    regular_pattern,
    text,
    typed_pattern,
    uuid,
)
from clawback.simulator.message_search import LABELS

FULL_BATCH = ("deletes", "patches", "puts", "posts")
MANUAL = "A1S_INTERNAL"

_PATTERN_TYPES = ("EMAIL", "DOMAIN", "IP")
_PROVENANCES = (MANUAL, "SNOOPY-CASB_OFFICE_365", "SNOOPY-OFFICE_365", "SNOOPY-GOOGLE_DIRECTORY")
_MODES = ("DIRECT", "BCC", "JOURNAL", "API", "RETRO_SCAN")
_REGIONS = ("GLOBAL", "AU", "DE", "IN", "US")
_COMMENTS = nullable(text())


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of policy."""

    name: str
    parameter: str
    """The name of the id in the paths."""
    fields: Mapping[str, Check]
    """The writable fields."""
    required: tuple[str, ...]
    orders: tuple[str, ...] = ("pattern", "created_at")
    filters: Mapping[str, str] = field(default_factory=dict)
    """Query parameters of the list, and the fields they filter."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values of fields that a POST leaves out."""
    read_only: Mapping[str, Any] = field(default_factory=dict)
    """Read-only fields and their initial values."""
    main_field: str = "pattern"
    check_record: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    """Says what is wrong with `main_field`, given the complete record."""
    check_editable: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    """Says why a record may not be changed."""
    unique_fields: tuple[str, ...] = ("pattern",)
    """Two records with the same values in these are duplicates."""
    refuses_unknown_fields: bool = False
    required_past_eol: tuple[str, ...] = ()
    """Fields past their end of life that the OpenAPI document still requires in responses."""
    batch: tuple[str, ...] = FULL_BATCH
    """The parts of the batch; empty if there is no batch."""
    replace: tuple[str, ...] = ()
    """What a PUT requires; empty if there is no PUT."""


def _same_names(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _directory_synced(record: Mapping[str, Any]) -> str | None:
    return (
        None
        if record.get("provenance") == MANUAL
        else "is synced from a directory and cannot be changed"
    )


BLOCK_SENDERS = Resource(
    name="block_senders",
    parameter="pattern_id",
    fields={
        "pattern": text(1),
        "pattern_type": one_of(_PATTERN_TYPES),
        "is_regex": boolean,
        "comments": _COMMENTS,
    },
    required=("pattern", "pattern_type", "is_regex"),
    filters=_same_names("pattern_type", "pattern"),
    defaults={"comments": None},
    check_record=typed_pattern,
    unique_fields=("pattern", "pattern_type", "is_regex"),
    replace=("pattern", "pattern_type", "is_regex"),
)

_ALLOW_FLAGS = ("is_trusted_sender", "is_acceptable_sender", "is_exempt_recipient", "verify_sender")
_ALLOW_REQUIRED = ("pattern", "pattern_type", "is_regex", *_ALLOW_FLAGS)

ALLOW_POLICIES = Resource(
    name="allow_policies",
    parameter="policy_id",
    fields={**BLOCK_SENDERS.fields, **dict.fromkeys(_ALLOW_FLAGS, boolean)},
    required=_ALLOW_REQUIRED,
    filters=_same_names(*_ALLOW_FLAGS, "pattern_type", "pattern"),
    defaults={"comments": None},
    check_record=typed_pattern,
    unique_fields=("pattern", "pattern_type", "is_regex"),
    required_past_eol=("last_modified",),
    replace=_ALLOW_REQUIRED,
)

_TRUST_REQUIRED = ("pattern", "is_regex", "is_recent", "is_similarity")

TRUSTED_DOMAINS = Resource(
    name="trusted_domains",
    parameter="trusted_domain_id",
    fields={
        "pattern": text(1),
        "is_regex": boolean,
        "is_recent": boolean,
        "is_similarity": boolean,
        "comments": _COMMENTS,
    },
    required=_TRUST_REQUIRED,
    filters=_same_names("is_recent", "is_similarity", "pattern"),
    defaults={"comments": None},
    check_record=domain_pattern,
    unique_fields=("pattern", "is_regex"),
    replace=_TRUST_REQUIRED,
)

IMPERSONATION_REGISTRY = Resource(
    name="impersonation_registry",
    parameter="impersonation_registry_id",
    fields={
        "name": text(1),
        "email": text(1),
        "is_email_regex": boolean,
        "comments": _COMMENTS,
        "directory_id": nullable(integer()),
        "directory_node_id": nullable(integer()),
        "provenance": one_of(_PROVENANCES),
    },
    required=("name", "email", "is_email_regex"),
    orders=("name", "email", "created_at"),
    filters=_same_names("provenance"),
    defaults={
        "comments": None,
        "directory_id": None,
        "directory_node_id": None,
        "provenance": MANUAL,
    },
    check_record=email_pattern,
    check_editable=_directory_synced,
    main_field="email",
    unique_fields=("email", "name"),
    batch=(),
)

_DOMAIN_FIELDS: Mapping[str, Check] = {
    "domain": domain,
    "allowed_delivery_modes": many(one_of(_MODES), 1, 10),
    "drop_dispositions": many(one_of(LABELS), 0, 10),
    "ip_restrictions": many(address_or_network, 0, 100),
    "regions": many(one_of(_REGIONS), 1, 10),
    "folder": nullable(one_of(("AllItems", "Inbox"))),
    "integration_id": nullable(uuid),
    "lookback_hops": nullable(integer(1, 20)),
    "require_tls_inbound": nullable(boolean),
    "require_tls_outbound": nullable(boolean),
    "transport": nullable(text()),
}
_DOMAIN_LISTS = ("allowed_delivery_modes", "drop_dispositions", "ip_restrictions", "regions")

DOMAINS = Resource(
    name="domains",
    parameter="domain_id",
    fields=_DOMAIN_FIELDS,
    required=("domain", *_DOMAIN_LISTS),
    orders=("domain", "created_at"),
    filters={
        "allowed_delivery_mode": "allowed_delivery_modes",
        "active_delivery_mode": "allowed_delivery_modes",
        "domain": "domain",
        "integration_id": "integration_id",
        "status": "status",
    },
    defaults={
        "folder": "AllItems",
        "lookback_hops": 1,
        "require_tls_inbound": False,
        "require_tls_outbound": False,
        "transport": "",
    },
    read_only={
        "status": "PENDING",
        "dmarc_status": "none",
        "spf_status": "none",
        "inbox_provider": None,
        "o365_tenant_id": None,
    },
    main_field="domain",
    unique_fields=("domain",),
    refuses_unknown_fields=True,
    replace=_DOMAIN_LISTS,
)

SENDING_DOMAIN_RESTRICTIONS = Resource(
    name="sending_domain_restrictions",
    parameter="sending_domain_restriction_id",
    fields={"domain": domain, "exclude": many(domain), "comments": _COMMENTS},
    required=("domain", "exclude"),
    orders=("domain", "created_at"),
    defaults={"comments": None},
    main_field="domain",
    unique_fields=("domain",),
    batch=("deletes",),
)

URL_IGNORE_PATTERNS = Resource(
    name="url_ignore_patterns",
    parameter="pattern_id",
    fields={"pattern": text(1), "comments": _COMMENTS},
    required=("pattern",),
    defaults={"comments": None},
    check_record=regular_pattern,
    refuses_unknown_fields=True,
)

CONTENT_POLICIES = Resource(
    name="content_policies",
    parameter="policy_id",
    fields={
        "enabled": boolean,
        "name": text(1),
        "pattern": text(1),
        "targets": many(one_of(("SUBJECT", "BODY")), 1, 2),
        "notes": nullable(text()),
    },
    required=("enabled", "name", "pattern", "targets"),
    orders=("name", "created_at"),
    filters=_same_names("enabled", "name"),
    defaults={"notes": None},
    check_record=regular_pattern,
    unique_fields=("name",),
)

RESOURCES = (
    ALLOW_POLICIES,
    BLOCK_SENDERS,
    TRUSTED_DOMAINS,
    IMPERSONATION_REGISTRY,
    DOMAINS,
    SENDING_DOMAIN_RESTRICTIONS,
    URL_IGNORE_PATTERNS,
    CONTENT_POLICIES,
)
