"""From the signature of a client's method to the options of its command, and back.

From what was typed to the method's arguments.

Nothing here knows a single operation; names of parameters have a meaning each, wherever they
appear.
"""

import inspect
import json
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
from clawback.cloudflare.catalogue import Operation
from clawback.model.messages import Destination, Disposition

NEVER_ASKED = frozenset({"self", "page", "per_page", "cursor"})
"""What paging does by itself."""
_FLAGS = {
    "start": "--since",
    "end": "--until",
    "destination": "--to",
    "final_disposition": "--disposition",
}
_KINDS = {"destination": Destination, "disposition": Disposition, "eml": Path}
_LAST_DAY = "1d"
_PARTS = ("deletes", "patches", "puts", "posts")

HELP: Mapping[str, str] = {
    "action_type": "MOVE or RELEASE.",
    "active_delivery_mode": "Only domains that use this mode now.",
    "alert_id": "Only the message of this alert.",
    "alert_ids": "Ids of alerts; only detections have one.",
    "allowed_delivery_mode": "Only domains that may use this mode.",
    "allowed_delivery_modes": "DIRECT, BCC, JOURNAL, API or RETRO_SCAN; may be given several times.",
    "changes": "A JSON file of the changes: deletes (ids), patches and puts (fields by id), posts (list of fields); - reads stdin.",
    "comment": "Why; a mark is added, by which the job is found again should the answer be lost.",
    "comments": "A note of at most 1,024 characters; an empty one clears it.",
    "delivery_status": "delivered, moved, quarantined, rejected, deferred, bounced or queued.",
    "destination": "The folder.",
    "detections_only": "Only messages in which something was detected.",
    "direction": "asc or desc.",
    "directory_id": "The directory that the entry comes from.",
    "directory_node_id": "The entry's place in that directory.",
    "disposition": "What it should have been.",
    "domain": "A domain: of sender, recipient or a link.",
    "drop_dispositions": "Dispositions that are dropped; may be given several times.",
    "email": "The address.",
    "eml": "The mail itself, as a file; clean mail needs it, because its body is not kept.",
    "enabled": "Whether it is in force.",
    "end": "Up to when: a time, or how long ago; now unless told.",
    "escalated_from_user": "Only those that a user's submission was escalated to.",
    "escalated_submission_id": "The user's submission that is escalated.",
    "exact_subject": "The whole subject.",
    "exclude": "Subdomains that it does not hold for; may be given several times.",
    "final_disposition": "MALICIOUS, SUSPICIOUS, SPOOF, SPAM, BULK or NONE.",
    "folder": "AllItems or Inbox.",
    "id": "The id.",
    "ids": "Investigate ids, at most 1,000.",
    "integration_id": "The integration of the domain.",
    "ip_restrictions": "Addresses or networks; may be given several times.",
    "is_acceptable_sender": "Let off Spam, Spoof and Bulk alone.",
    "is_email_regex": "The address is a regular expression (Java's).",
    "is_exempt_recipient": "Let every mail to this recipient off everything.",
    "is_recent": "It may be newly registered.",
    "is_regex": "The pattern is a regular expression (Java's).",
    "is_similarity": "It may look like another domain.",
    "is_trusted_sender": "Bypass all detections, and links are not followed.",
    "job_id": "The id of the job.",
    "lookback_hops": "1 to 20.",
    "message_action": "Only messages to which this was done: PREVIEW, QUARANTINE_RELEASED or MOVED.",
    "message_id": "The Message-ID header.",
    "name": "The name.",
    "notes": "A note; an empty one clears it.",
    "order": "The field to order by, such as created_at.",
    "original_disposition": "Only those whose message had this disposition.",
    "outcome_disposition": "Only those that came to this disposition.",
    "pattern": "The pattern: literal, unless --is-regex.",
    "pattern_type": "EMAIL, DOMAIN or IP.",
    "postfix_id": "The postfix id; the beginning of the id unless told.",
    "provenance": "A1S_INTERNAL is manual; others come from a directory.",
    "query": "Words, separated by blanks, in any field that is searched.",
    "recipient": "An address or a domain.",
    "regions": "GLOBAL, AU, DE, IN or US; may be given several times.",
    "requested_disposition": "Only those that asked for this disposition.",
    "require_tls_inbound": "Take mail over TLS alone.",
    "require_tls_outbound": "Send mail over TLS alone.",
    "search": "Words to look for.",
    "sender": "An address or a domain.",
    "start": "Since when: a time such as 2026-11-22T14:00:00Z, or how long ago such as 2h.",
    "status": "Only those in this state.",
    "subject": "Words of the subject, in any order.",
    "submission": "Look in the store of submissions instead.",
    "submission_id": "Only this submission.",
    "submissions": "Act on the store of submissions instead.",
    "targets": "SUBJECT or BODY; may be given several times.",
    "transport": "Where mail goes.",
    "type": "TEAM or USER.",
    "verify_sender": "The policy holds only if DMARC, SPF or DKIM passes.",
}
"""What each parameter means, wherever it appears."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of a client's method."""

    name: str
    kind: Any
    required: bool
    nullable: bool


def fields_of(operation: Operation) -> Iterator[Field]:
    """The parameters of a method that people give, those of its TypedDict one by one."""
    hints = get_type_hints(operation.function)
    for name, parameter in inspect.signature(operation.function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (fields,) = get_args(hints[name])
            for field, kind in get_type_hints(fields).items():
                yield _field(field, kind, required=field in fields.__required_keys__)
        elif name not in NEVER_ASKED:
            yield _field(name, hints[name], required=parameter.default is inspect.Parameter.empty)


def _field(name: str, kind: Any, *, required: bool) -> Field:
    kinds = (
        [one for one in get_args(kind) if one is not type(None)]
        if type(None) in get_args(kind)
        else [kind]
    )
    return Field(name, kinds[0], required, nullable=type(None) in get_args(kind))


# ---- what is shown on the command line


def options_of(operation: Operation) -> Iterator[inspect.Parameter]:
    """The command line of an operation, as typer reads it from a signature."""
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
    """A list reads the last day unless told; what acts on all that is found must be told."""
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
            default, flags, help=HELP[field.name], show_default=False, case_sensitive=False
        ),
    )


def _shape(field: Field, flag: str) -> tuple[Any, str, Any]:
    """What typer is told of an option: its type, its flags, its default.

    A flag that a create wants is off unless given.
    """
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


# ---- what was typed


def arguments_of(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the method; what was not given is left out.

    Raises:
        Failure: something that was given cannot be read.

    """
    told = {field.name: _value(field, given, operation) for field in fields_of(operation)}
    return {name: value for name, value in told.items() if value is not _LEFT_OUT}


_LEFT_OUT = object()


def _value(field: Field, given: Mapping[str, Any], operation: Operation) -> Any:
    value = given.get(field.name)
    reads: dict[str, Callable[[], Any]] = {
        "messages": lambda: [
            Resubmission(one, given["disposition"].value, given["escalated_submission_id"])
            for one in given["alert_ids"]
        ],
        "start": lambda: parse_time_argument(value or "", "--since"),
        "end": lambda: parse_time_argument(value, "--until") if value else datetime.now(UTC),
        "comment": lambda: _marked(value or ""),
        "changes": lambda: _batch(Path(value or "-")),
        "eml": lambda: value.read_bytes() if value else _LEFT_OUT,
    }
    if field.name in reads:
        return reads[field.name]()
    if get_origin(field.kind) is list and field.required:
        return list(value or [])
    if value is None or value == []:
        return _LEFT_OUT
    if value == "" and field.nullable and operation.method is not Method.GET:
        return None
    return value.value if isinstance(value, Destination | Disposition) else value


def _marked(comment: str) -> str:
    """Make the comment of a job unique, which is how a lost answer is found (see `EmailSecurity.move_all`)."""
    return f"{comment} (clawback api {uuid4().hex[:12]})".lstrip()


def _batch(file: Path) -> Batch:
    """Read the changes of a batch.

    Raises:
        Failure: the file is not such JSON.

    """
    try:
        text = (
            typer.get_text_stream("stdin").read()
            if str(file) == "-"
            else file.read_text(encoding="utf-8")
        )
        told = json.loads(text)
    except (OSError, ValueError) as error:
        raise Failure(f"{file} cannot be read as JSON: {error}", ExitCode.USAGE) from None
    if not isinstance(told, dict) or not set(told) <= set(_PARTS):
        raise Failure(f"{file} must hold an object of {', '.join(_PARTS)}", ExitCode.USAGE)
    for part, kind in (("deletes", list), ("patches", dict), ("puts", dict), ("posts", list)):
        if not isinstance(told.get(part, kind()), kind):
            raise Failure(
                f"{file}: {part} must be {'a list' if kind is list else 'an object of fields by id'}",
                ExitCode.USAGE,
            )
    return Batch(**told)
