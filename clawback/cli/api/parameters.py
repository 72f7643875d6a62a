"""Derives the options of a command from the signature of a client method, and its arguments back.

A parameter name means the same wherever it appears, so nothing here knows a single operation.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from uuid import uuid4

import typer

from clawback.cli.arguments import parse_time_argument
from clawback.cli.exits import ExitCode, Failure
from clawback.cloudflare import Batch, Resubmission
from clawback.cloudflare.api_request import Method
from clawback.cloudflare.operation_catalogue import Operation
from clawback.model.messages import Destination, Disposition
from clawback.simulator.json_text import decode_json

PAGING_PARAMETERS = frozenset({"self", "page", "per_page", "cursor"})
"""Set by paging, never by people."""
_FLAGS = {
    "start": "--since",
    "end": "--until",
    "destination": "--to",
    "final_disposition": "--disposition",
}
_KINDS = {"destination": Destination, "disposition": Disposition, "eml": Path}
_METAVARS = {"destination": "<folder>"}
"""For options whose values are too long for their column; the help lists them."""
_LAST_DAY = "1d"
_PARTS = ("deletes", "patches", "puts", "posts")

HELP: Mapping[str, str] = {
    "action_type": "MOVE or RELEASE.",
    "active_delivery_mode": "Only domains that use this mode now.",
    "alert_id": "Only the message of this alert.",
    "alert_ids": "Ids of alerts; only detections have one.",
    "allowed_delivery_mode": "Only domains that may use this mode.",
    "allowed_delivery_modes": "DIRECT, BCC, JOURNAL, API or RETRO_SCAN; repeatable.",
    "changes": "JSON file of deletes (ids), patches, puts (fields by id), posts; - is stdin.",
    "comment": "Why; a unique suffix identifies the job if the response is lost.",
    "comments": "A note of at most 1,024 characters; an empty one clears it.",
    "delivery_status": "delivered, moved, quarantined, rejected, deferred, bounced or queued.",
    "destination": ", ".join(Destination) + ".",
    "detections_only": "Only messages in which something was detected.",
    "direction": "asc or desc.",
    "directory_id": "Directory that the entry comes from.",
    "directory_node_id": "Node of the entry in that directory.",
    "disposition": "The disposition it should have had.",
    "domain": "Domain of the sender, a recipient or a link.",
    "drop_dispositions": "Dispositions that are dropped; repeatable.",
    "email": "Email address.",
    "eml": "EML file of the mail; required for clean mail, whose body is not kept.",
    "enabled": "Whether the policy is active.",
    "end": "End: a time, or an age such as 2h; default now.",
    "escalated_from_user": "Only submissions escalated from a user's submission.",
    "escalated_submission_id": "Id of the user's submission to escalate.",
    "exact_subject": "Exact subject.",
    "exclude": "Subdomains to exclude; repeatable.",
    "final_disposition": "MALICIOUS, SUSPICIOUS, SPOOF, SPAM, BULK or NONE.",
    "folder": "AllItems or Inbox.",
    "id": "Id.",
    "ids": "Investigate ids, at most 1,000.",
    "integration_id": "Integration of the domain.",
    "ip_restrictions": "IP addresses or networks; repeatable.",
    "is_acceptable_sender": "Exempt the sender from Spam, Spoof and Bulk.",
    "is_email_regex": "The address is a regular expression (Java's).",
    "is_exempt_recipient": "Exempt all mail to this recipient from detection.",
    "is_recent": "Exempt from the check for newly registered domains.",
    "is_regex": "The pattern is a regular expression (Java's).",
    "is_similarity": "Exempt from the check for similar domains.",
    "is_trusted_sender": "Exempt the sender from all detections and link following.",
    "job_id": "Id of the job.",
    "lookback_hops": "Number of hops, 1 to 20.",
    "message_action": "Only messages with this action: PREVIEW, QUARANTINE_RELEASED or MOVED.",
    "message_id": "Message-ID header.",
    "name": "Name.",
    "notes": "A note; an empty one clears it.",
    "order": "Field to order by, such as created_at.",
    "original_disposition": "Only submissions whose message had this disposition.",
    "outcome_disposition": "Only submissions with this final disposition.",
    "pattern": "Pattern; literal unless --is-regex.",
    "pattern_type": "EMAIL, DOMAIN or IP.",
    "postfix_id": "Postfix id; default the start of the id.",
    "provenance": "A1S_INTERNAL for manual entries; others come from a directory.",
    "query": "Words to search for in all searchable fields.",
    "recipient": "Address or domain.",
    "regions": "GLOBAL, AU, DE, IN or US; repeatable.",
    "requested_disposition": "Only submissions that requested this disposition.",
    "require_tls_inbound": "Require TLS for inbound mail.",
    "require_tls_outbound": "Require TLS for outbound mail.",
    "search": "Words to search for.",
    "sender": "Address or domain.",
    "start": "Start: a time such as 2026-11-22T14:00:00Z, or an age such as 2h.",
    "status": "Only records with this status.",
    "subject": "Words of the subject, in any order.",
    "submission": "Search submissions instead of messages.",
    "submission_id": "Only this submission.",
    "submissions": "Act on submissions instead of messages.",
    "targets": "SUBJECT or BODY; repeatable.",
    "transport": "Transport of the mail.",
    "type": "TEAM or USER.",
    "verify_sender": "Apply the policy only if DMARC, SPF or DKIM passes.",
}
"""Help text of each parameter."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of a client's method."""

    name: str
    kind: Any
    required: bool
    nullable: bool


def fields_of(operation: Operation) -> Iterator[Field]:
    """Yield the parameters that people give; those of a TypedDict one by one."""
    hints = get_type_hints(operation.function)
    for name, parameter in inspect.signature(operation.function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (fields,) = get_args(hints[name])
            for field, kind in get_type_hints(fields).items():
                yield _field(field, kind, required=field in fields.__required_keys__)
        elif name not in PAGING_PARAMETERS:
            yield _field(name, hints[name], required=parameter.default is inspect.Parameter.empty)


def _field(name: str, kind: Any, *, required: bool) -> Field:
    kinds = (
        [one for one in get_args(kind) if one is not type(None)]
        if type(None) in get_args(kind)
        else [kind]
    )
    return Field(name, kinds[0], required, nullable=type(None) in get_args(kind))


# ---- from signature to options


def options_of(operation: Operation) -> Iterator[inspect.Parameter]:
    """Yield the options of an operation as the parameters that typer reads."""
    for field in fields_of(operation):
        match field.name:
            case "messages":
                yield _argument("alert_ids", list[str])
                yield _option(Field("disposition", Disposition, required=True, nullable=False))
                yield _option(Field("escalated_submission_id", str, required=False, nullable=True))
            case "id" | "job_id":
                yield _argument(field.name, str)
            case "ids":
                yield _argument(field.name, list[str])
            case "changes":
                yield _argument(field.name, Path)
            case "start" | "end":
                yield _window(field, operation)
            case _:
                yield _option(field)


def _argument(name: str, kind: Any) -> inspect.Parameter:
    return _parameter(name, kind, typer.Argument(help=HELP[name], show_default=False))


def _window(field: Field, operation: Operation) -> inspect.Parameter:
    """A list covers the last day by default; a bulk job has no default."""
    default = "" if field.name == "end" else _LAST_DAY if operation.method is Method.GET else ...
    shown = default == _LAST_DAY
    return _parameter(
        field.name,
        str,
        typer.Option(default, _FLAGS[field.name], help=HELP[field.name], show_default=shown),
    )


def _option(field: Field) -> inspect.Parameter:
    flag = _FLAGS.get(field.name, f"--{field.name.replace('_', '-')}")
    kind, flags, default = _shape(field, flag)
    return _parameter(
        field.name,
        kind,
        typer.Option(
            default,
            flags,
            help=HELP[field.name],
            metavar=_METAVARS.get(field.name),
            show_default=False,
            case_sensitive=False,
        ),
    )


def _shape(field: Field, flag: str) -> tuple[Any, str, Any]:
    """Return type, flags and default of an option; a required flag is off by default."""
    kind = _KINDS.get(field.name, field.kind)
    if kind is bool:
        return (
            (bool, flag, False)
            if field.required
            else (bool | None, f"{flag}/--no-{flag.removeprefix('--')}", None)
        )

    if kind not in (str, int, Path, Destination, Disposition):
        return list[str], flag, None
    if field.name == "comment":
        return str, flag, ""

    return (kind, flag, ...) if field.required else (kind | None, flag, None)


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


# ---- from options to arguments


def arguments_of(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the method, without what was not given.

    Raises:
        Failure: an option cannot be parsed.

    """
    values = {field.name: _value(field, given, operation) for field in fields_of(operation)}
    return {name: value for name, value in values.items() if value is not _OMITTED}


_OMITTED = object()


def _value(field: Field, given: Mapping[str, Any], operation: Operation) -> Any:
    value = given.get(field.name)
    reads: dict[str, Callable[[], Any]] = {
        "messages": lambda: [
            Resubmission(one, given["disposition"].value, given["escalated_submission_id"])
            for one in given["alert_ids"]
        ],
        "start": lambda: parse_time_argument(value or "", "--since"),
        "end": lambda: parse_time_argument(value, "--until") if value else datetime.now(UTC),
        "comment": lambda: _mark_comment(value or ""),
        "changes": lambda: _batch(Path(value or "-")),
        "eml": lambda: value.read_bytes() if value else _OMITTED,
    }
    if field.name in reads:
        return reads[field.name]()
    if get_origin(field.kind) is list and field.required:
        return list(value or [])
    if value is None or value == []:
        return _OMITTED
    if value == "" and field.nullable and operation.method is not Method.GET:
        return None

    return value.value if isinstance(value, Destination | Disposition) else value


def _mark_comment(comment: str) -> str:
    """Make the comment of a job unique: it identifies the job after a lost response."""
    return f"{comment} (clawback api {uuid4().hex[:12]})".lstrip()


def _batch(file: Path) -> Batch:
    """Read the changes of a batch from a file.

    Raises:
        Failure: the file does not hold them.

    """
    try:
        changes = decode_json(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", ExitCode.USAGE) from None
    except ValueError as error:
        raise Failure(f"{file}: {error}", ExitCode.USAGE) from None

    if not isinstance(changes, dict) or not set(changes) <= set(_PARTS):
        raise Failure(f"{file}: expected an object with {', '.join(_PARTS)}", ExitCode.USAGE)

    for part, kind in (("deletes", list), ("patches", dict), ("puts", dict), ("posts", list)):
        if not isinstance(changes.get(part, kind()), kind):
            raise Failure(
                f"{file}: {part} must be {'a list' if kind is list else 'an object by id'}",
                ExitCode.USAGE,
            )

    return Batch(**changes)
