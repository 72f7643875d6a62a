"""Logging, configured once for structlog and the standard library alike.

JSON lines, or coloured text on a terminal.

It must not let a secret out, whoever logs it, nor an address or a subject above debug.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

Processor = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]

_SECRET = ("token", "authorization", "secret", "password", "encryption_key", "body")
_PRIVATE = frozenset(
    {
        "subject",
        "from",
        "from_name",
        "sender",
        "to",
        "to_name",
        "recipient",
        "recipients",
        "address",
        "group",
        "pattern",
    }
)
_CHATTY = ("httpx", "httpcore", "asyncio", "uvicorn.access")


def configure_logging(
    log_format: str = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send every log event of the process to one stream in one form.

    Calling it again replaces the earlier configuration.

    Args:
        log_format: `json`, `console`, or `auto` (console on a terminal, JSON elsewhere).
        level: The least severe event that is logged: debug, info, warning or error.
        stream: Where to; standard error unless told.

    """
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    destination = logging.StreamHandler(stream)
    destination.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(), processors=_rendering(console=console)
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [destination]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=("temporal_workflow", "temporal_activity")),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        withhold_private,
    ]


def _rendering(*, console: bool) -> list[Any]:
    # Neither renderer may print local variables: they hold tokens and messages.
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    )
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]


def withhold_private(
    _: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blank the fields that hold secrets, and above debug those that name people or quote them."""
    private = frozenset() if method == "debug" else _PRIVATE
    for key in event:
        if key in private or any(word in key.lower() for word in _SECRET):
            event[key] = "[withheld]"
    return event
