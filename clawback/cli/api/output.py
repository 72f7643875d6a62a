"""Prints records of the API: tables for people, JSON for programs.

A table shows some fields and shortens long values; `--json` has everything.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from clawback.cli.output import print_json, print_json_text, print_table, print_text
from clawback.cloudflare import BatchResult
from clawback.cloudflare.operation_catalogue import Operation
from clawback.cloudflare.wire_model import WireModel
from clawback.model.texts import bounded, printable
from clawback.model.times import parse_time

_MANY = 3
_LONG = 40

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "messages": ("scanned_at", "final_disposition", "from", "to", "subject", "id"),
    "action_log": ("completed_at", "operation", "status", "success", "properties"),
    "move": ("success", "status", "destination", "recipient", "message_id"),
    "move_one": ("success", "status", "destination", "recipient", "message_id"),
    "release": ("delivered", "undelivered", "failed", "id"),
    "jobs": (
        "created_at",
        "action_type",
        "status",
        "messages_successful",
        "messages_failed",
        "messages_pending",
        "comment",
        "job_id",
    ),
    "job_messages": (
        "processed_at",
        "status",
        "status_message",
        "retry_count",
        "postfix_id",
        "alert_id",
    ),
    "phishguard_reports": ("created_at", "disposition", "priority", "title", "id"),
    "submissions": (
        "requested_at",
        "type",
        "original_disposition",
        "requested_disposition",
        "outcome_disposition",
        "customer_status",
        "subject",
        "submission_id",
    ),
    "settings.allow_policies.list": (
        "pattern",
        "pattern_type",
        "is_regex",
        "is_trusted_sender",
        "is_acceptable_sender",
        "comments",
        "id",
    ),
    "settings.block_senders.list": (
        "pattern",
        "pattern_type",
        "is_regex",
        "created_at",
        "comments",
        "id",
    ),
    "settings.content_policies.list": ("name", "pattern", "enabled", "targets", "notes", "id"),
    "settings.domains.list": (
        "domain",
        "status",
        "allowed_delivery_modes",
        "inbox_provider",
        "integration_id",
        "id",
    ),
    "settings.impersonation_registry.list": (
        "name",
        "email",
        "is_email_regex",
        "provenance",
        "comments",
        "id",
    ),
    "settings.sending_domain_restrictions.list": ("domain", "exclude", "comments", "id"),
    "settings.trusted_domains.list": (
        "pattern",
        "is_regex",
        "is_recent",
        "is_similarity",
        "comments",
        "id",
    ),
    "settings.url_ignore_patterns.list": ("pattern", "comments", "id"),
}
"""The fields that a table of an operation shows."""
DROP_FIRST: Mapping[str, tuple[str, ...]] = {
    "messages": ("to", "scanned_at", "from", "final_disposition"),
    "submissions": (
        "customer_status",
        "type",
        "original_disposition",
        "requested_at",
        "requested_disposition",
    ),
}
"""Columns that a narrow terminal drops; by default those in the middle, from the right."""


def print_records(operation: Operation, records: Sequence[WireModel]) -> None:
    """Print records as a table."""
    columns = COLUMNS[operation.name]
    if not records:
        print_text("No records.")
        return

    heads = [column.replace("_", " ") for column in columns]
    lines = [
        [_format(column, record.record.get(column)) for column in columns] for record in records
    ]
    dropped = DROP_FIRST.get(operation.name, tuple(reversed(columns[1:-1])))
    print_table(heads, lines, drop_first=[column.replace("_", " ") for column in dropped])


def _format(column: str, value: Any) -> str:
    """Format a value for a table: times to the second; long text but ids cut on a terminal."""
    at = parse_time(value) if column.endswith("_at") else None
    text = cell(value) if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
    is_long = len(text) > _LONG and not column.endswith("id") and sys.stdout.isatty()
    return bounded(text, _LONG) if is_long else text


def print_result(operation: Operation, result: Any, *, as_json: bool) -> None:
    """Print the result of an operation that is not a list."""
    if as_json:
        print_json(to_data(result))
        return

    match result:
        case tuple():
            print_records(operation, result)
        case WireModel():
            _print_fields(result.record)
        case BatchResult():
            made = {
                "deleted": len(result.deletes),
                "changed": len(result.patches) + len(result.puts),
                "created": len(result.posts),
            }
            print_text(", ".join(f"{count} {word}" for word, count in made.items()) + ".")
        case Mapping():
            _print_fields(result)
        case str():
            print_text(
                (
                    printable(result, keep="\n\t", replacement=" ")
                    if sys.stdout.isatty()
                    else result
                ).rstrip("\n")
            )
        case _:
            print_text("Done." if operation.permission == "Write" else "No content.")


def print_line(record: WireModel) -> None:
    """Print a record as one line of JSON."""
    print_json_text(json.dumps(record.record, ensure_ascii=False, default=str))


def to_data(result: Any) -> Any:
    """Return a result as JSON data."""
    match result:
        case tuple() | list():
            return [to_data(one) for one in result]
        case WireModel():
            return result.record
        case BatchResult():
            return {
                name: to_data(getattr(result, name))
                for name in ("deletes", "patches", "puts", "posts")
            }

    return result


def _print_fields(record: Mapping[str, Any]) -> None:
    shown = {name: value for name, value in record.items() if value not in (None, [], {}, "")}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        print_text(f"{name.ljust(width)}  {cell(value, most=None)}")


def cell(value: Any, most: int | None = _MANY) -> str:
    """Format a value as one line without control characters."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() if all(isinstance(one, str) for one in value):
            more = len(value) - most if most is not None and len(value) > most else 0
            text = ", ".join(value[:most]) + (f" and {more} more" if more else "")
        case str():
            text = value
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)

    return printable(text, replacement=" ")
