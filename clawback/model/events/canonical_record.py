"""Brings the addresses, domains and IP addresses of a record into their canonical form.

Done once, when a record becomes an event: conditions, groups and templates see only these forms.
"""

from collections.abc import Callable, Mapping
from functools import cache
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
_ONLY_TEXTS = frozenset({str})

Canonicalizer = Callable[[Any], Any]
"""Gives the canonical form of a value or of each value of a list.

The same object if nothing changes. Values of an unexpected type stay.
"""


def canonicalizer(form: Form | Forms) -> Canonicalizer:
    """Make the function that gives values of a form, or records of some forms."""
    return _of_fields(form) if isinstance(form, Mapping) else _of_text(form)


@cache
def _of_text(form: Form) -> Canonicalizer:
    # Mail has the same recipients in several fields, one after the other.
    last: tuple[list[str], list[str] | None] = [], None

    def canonical(value: Any) -> Any:
        nonlocal last
        if value.__class__ is str:
            new = form(value)
            return value if new == value else new
        if value.__class__ is not list:
            return value

        known, changed = last
        if value != known:
            if not _ONLY_TEXTS.issuperset(map(type, value)):
                return _canonical_list(value, canonical)
            texts = list(map(form, value))  # no Python runs for each, as `form` is memoized
            changed = None if texts == value else texts
            last = value, changed
        return value if changed is None else changed

    return canonical


def _of_fields(forms: Forms) -> Canonicalizer:
    fields = [
        (name, None if isinstance(form, Mapping) else form, canonicalizer(form))
        for name, form in forms.items()
    ]

    def canonical(record: Any) -> Any:
        if record.__class__ is not dict and not isinstance(record, Mapping):
            return _canonical_list(record, canonical) if record.__class__ is list else record

        changes: dict[str, Any] = {}
        for name, form, canonical_field in fields:
            value = record.get(name)
            if value.__class__ is str:  # the usual case, without a further call
                if form is not None and (text := form(value)) != value:
                    changes[name] = text
            elif value is not None and (new := canonical_field(value)) is not value:
                changes[name] = new

        return {**record, **changes} if changes else record

    return canonical


def _canonical_list(values: list[Any], canonical: Canonicalizer, depth: int = 1) -> list[Any]:
    new = [
        canonical(value)
        if value.__class__ is not list
        else value
        if depth == _DEEPEST_LIST
        else _canonical_list(value, canonical, depth + 1)
        for value in values
    ]
    return values if new == values else new
