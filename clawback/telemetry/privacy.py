"""Keeps secrets out of the logs, and mail out of every log event above debug.

An address, a subject or a body can hide in any text: an exception, an API explanation, a malformed
record. So this is an allowlist. Above debug a log event shows numbers, members of enumerations and
`LoggableText`, the fields of `IDENTIFIER_FIELDS` if they look like identifiers, ids from the API if
they have a known format, and of an exception only what `error_text` returns. Everything else
becomes `[withheld]`.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import date, timedelta
from enum import StrEnum
from types import FrameType
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from clawback.model.loggable import LoggableError, LoggableText
from clawback.telemetry.exception_chain import causes, exception_of

WITHHELD = "[withheld]"

SECRET_WORDS = ("token", "authorization", "secret", "password", "encryption_key", "body")
"""A field whose name contains one of these is withheld at every level."""

IDENTIFIER_FIELDS = frozenset(
    {
        # clawback: the names of its own rules, cases, states and versions
        *("source", "rule", "rules", "rules_version", "running", "old", "new", "case", "mode"),
        *("build", "current", "request_id", "trace_id", "fingerprint", "core_module"),
        *("action", "outcome", "kind", "error_type", "endpoint", "api"),
        # Temporal: whose ids are made by clawback from rule names and hashes
        *("workflow", "activity", "workflow_id", "workflow_type", "run_id", "workflow_run_id"),
        *("activity_id", "activity_type", "namespace", "task_queue"),
    }
)
"""Fields whose values clawback, Temporal or a rule author chooses, never the sender of a mail."""

API_ID_FIELDS = frozenset({"message", "report", "submission"})
"""Fields with an id that the API chose, shown only in a known format."""

_IDENTIFIER = re.compile(r"[\w./:+=-]{1,300}", re.ASCII)
_API_ID = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|\w{6,40}-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-\w{4,40}",  # an investigate id
    re.ASCII,
)
_EVENT_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_CORE_MESSAGE = re.compile(r"[A-Za-z0-9 ,._'-]{1,150}")
_MIN_LITERAL = 4
_STRUCTURE = frozenset(
    {"event", "level", "logger", "at", "exception", "_record", "_from_structlog"}
)


def withhold_private(
    _: object, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Withhold secrets, and above debug everything that may quote mail; a structlog processor."""
    arguments = event.pop("positional_args", None)
    for key in event:
        if any(word in key.lower() for word in SECRET_WORDS):
            event[key] = WITHHELD

    if event.get("level") == "debug":
        return event

    if isinstance(record := event.get("_record"), logging.LogRecord):
        event["event"] = foreign_text(record, arguments or ())
        if (core := getattr(record, "temporal_log", None)) is not None:
            event["core_module"] = core.target
    elif not _EVENT_NAME.fullmatch(str(event.get("event"))):
        event["event"] = WITHHELD

    if exc_info := event.pop("exc_info", None):
        event["exception"] = traceback_text(exc_info)

    for key in event.keys() - _STRUCTURE:
        event[key] = public_value(key, event[key])

    return event


def public_value(key: str, value: object) -> object:  # noqa: PLR0911 - one case per kind of value
    """Return what may be logged of a field above debug."""
    match value:
        case None | bool() | int() | float() | date() | timedelta():
            return value
        case BaseException():
            return error_text(value)
        case StrEnum():
            return value.value
        case LoggableText():
            return str(value)
        case Mapping():
            return {str(name): public_value(str(name), item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [public_value(key, item) for item in value]
        case str() if key in IDENTIFIER_FIELDS and _IDENTIFIER.fullmatch(value):
            return value
        case str() if key in API_ID_FIELDS and _API_ID.fullmatch(value):
            return value
        case _:
            return WITHHELD


def error_text(error: BaseException) -> str:
    """Return what may be logged of an exception: its own safe text, or else its class."""
    kind = type(error).__name__
    match error:
        case LoggableError():
            return error.log_text
        case ApplicationError():
            is_type = bool(error.type and _IDENTIFIER.fullmatch(error.type))
            return f"{kind}: {error.type}" if is_type else kind
        case RPCError():
            return f"{kind}: {error.status.name}"
        case OSError(strerror=str() as reason):
            return f"{kind}: {reason}"
        case _:
            return kind


def traceback_text(exc_info: object) -> str:
    """Format an exception and its causes like Python does, with `error_text` for each message.

    `exc_info` is what loggers take: an exception, a tuple, or True for the current one. Stack
    frames hold source code only, never values.
    """
    parts: list[str] = []
    for error in causes(exception_of(exc_info)):
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = error_text(error)
        kind = type(error).__name__
        last = text if text.startswith(kind) else f"{kind}: {text}"
        parts.append(f"Traceback (most recent call last):\n{frames}{last}")

    return "\n\nThis exception led to the next one:\n\n".join(reversed(parts))


def foreign_text(record: logging.LogRecord, arguments: object) -> str:
    """Return what may be logged of a message from the standard `logging` module.

    Libraries put values into their messages. Only the parts that stand as literals in the source of
    the calling function are shown, and numbers; the rest becomes an ellipsis. The caller is still
    on the stack while a message is formatted, so its constants can be looked up there.
    """
    frame = _calling_frame(record)
    if frame is None:
        # The Temporal core logs from Rust: its messages are constants, with values in fields that
        # `runtime` does not forward. Cut at the first character that could begin a value.
        prefix = _CORE_MESSAGE.match(str(record.msg))
        is_core = record.name == "temporalio.core" and prefix is not None
        return prefix[0] if is_core and prefix else WITHHELD

    literals = _literals(frame)
    if isinstance(arguments, tuple) and arguments and record.msg in literals:
        shown = tuple(item if isinstance(item, int | float) else "…" for item in arguments)
        try:
            return str(record.msg) % shown
        except (TypeError, ValueError):
            return WITHHELD

    return _keep_literals(str(record.msg), literals)


def _calling_frame(record: logging.LogRecord) -> FrameType | None:
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - inspect.currentframe, typed
    while frame is not None:
        code = frame.f_code
        if code.co_filename == record.pathname and code.co_name == record.funcName:
            return frame
        frame = frame.f_back

    return None


def _literals(frame: FrameType) -> set[str]:
    return {text for text in frame.f_code.co_consts if isinstance(text, str)}


def _keep_literals(message: str, literals: set[str]) -> str:
    """Replace every part of a message that is no literal; short literals prove nothing."""
    kept = [text for text in literals if len(text) >= _MIN_LITERAL and text in message]
    if not kept:
        return WITHHELD

    pattern = "|".join(re.escape(text) for text in sorted(kept, key=len, reverse=True))
    parts, end = [], 0
    for found in re.finditer(pattern, message):
        parts += ["…"] if found.start() > end else []
        parts.append(found[0])
        end = found.end()

    return "".join(parts) + ("…" if end < len(message) else "")
