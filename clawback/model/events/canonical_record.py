"""Brings the addresses, domains and IP addresses of a record into their canonical form.

Done once, when a record becomes an event: conditions, groups and templates see only these forms.
"""

from collections.abc import Callable, Mapping
from typing import Any

from clawback.model.notations import canonical_address, canonical_domain, canonical_ip

Form = Callable[[str], str]
Forms = Mapping[str, "Form | Forms"]
"""By the name of a field: its form, or the forms of the fields below it."""

DETECTIONS_FORMS: Forms = {"sender_info": {"ip": canonical_ip, "pld": canonical_domain}}
MESSAGE_FORMS: Forms = {
    "from": canonical_address,
    "envelope_from": canonical_address,
    "replyto": canonical_address,
    "to": canonical_address,
    "envelope_to": canonical_address,
    "client_recipients": canonical_address,
    "smtp_helo_server_ip": canonical_ip,
    "smtp_previous_hop_ip": canonical_ip,
    "x_originating_ip": canonical_ip,
    "detections": DETECTIONS_FORMS,
}
REPORT_FORMS: Forms = {
    "fields": {"from": canonical_address, "to": canonical_address},
    "message": MESSAGE_FORMS,
}
SUBMISSION_FORMS: Forms = {
    "requested_by": canonical_address,
    "escalated_by": canonical_address,
    "message": MESSAGE_FORMS,
}

_DEEPEST_LIST = 8


def canonical_record(record: Mapping[str, Any], forms: Forms) -> Mapping[str, Any]:
    """Give a record with canonical values; the same object if nothing changes.

    Values of an unexpected type stay.
    """
    changes: dict[str, Any] = {}
    for name, form in forms.items():
        value = record.get(name)
        if value is not None and (new := canonical_value(value, form)) is not value:
            changes[name] = new

    return {**record, **changes} if changes else record


def canonical_value(value: Any, form: "Form | Forms", depth: int = 0) -> Any:
    """Give the canonical form of a value or of each value of a list."""
    if value.__class__ is list:
        return _canonical_list(value, form, depth + 1)
    if isinstance(form, Mapping):
        return canonical_record(value, form) if isinstance(value, Mapping) else value
    if value.__class__ is not str:
        return value

    new = form(value)
    return value if new == value else new


def _canonical_list(values: list[Any], form: "Form | Forms", depth: int) -> list[Any]:
    if depth > _DEEPEST_LIST:
        return values
    new = [canonical_value(value, form, depth) for value in values]
    is_same = all(one is other for one, other in zip(values, new, strict=True))
    return values if is_same else new
