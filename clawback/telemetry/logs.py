"""Logging, configured once for structlog and the standard library: JSON lines or coloured text.

`privacy` decides what may be shown at which level.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from io import TextIOWrapper
from types import TracebackType
from typing import Any, TextIO

import structlog

from clawback.telemetry.failures import describe_failure
from clawback.telemetry.privacy import withhold_private
from clawback.telemetry.tracing import current_trace_id

Processor = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]

_WORKFLOW_FIELDS = ("temporal_workflow", "temporal_activity", "source", "case", "error_type")
"""Fields of events that workflows log: they use the logger of the SDK, not structlog."""
_VERBOSE_LIBRARIES = ("httpx", "httpcore", "asyncio", "uvicorn.access")


def configure_logging(
    log_format: str = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send every log event of the process to one stream in one format.

    Calling it again replaces the earlier configuration.

    Args:
        log_format: `json`, `console`, or `auto` (console on a terminal, JSON otherwise).
        level: The least severe level to log: debug, info, warning or error.
        stream: The destination, standard error by default.

    """
    stream = stream or sys.stderr
    is_console = not is_json(log_format, stream)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )

    if isinstance(stream, TextIOWrapper):
        # No event is lost because the encoding of the stream lacks a character.
        stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared_processors(),
            processors=_renderers(is_console=is_console),
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())

    for name in _VERBOSE_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)

    sys.excepthook = _log_crash


def is_json(log_format: str, stream: TextIO) -> bool:
    """Whether a stream gets JSON lines: if the format says so, or is `auto` and nobody watches."""
    return log_format == "json" or (log_format == "auto" and not stream.isatty())


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=_WORKFLOW_FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        describe_failure,
        withhold_private,
    ]


def _add_trace(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
    return event


def _renderers(*, is_console: bool) -> list[Any]:
    # Neither renderer may print local variables: they hold tokens and messages.
    renderers: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if is_console
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    )
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers]


def _log_crash(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log an uncaught exception: Python itself would print its message."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("clawback").critical("process.crashed", exc_info=error)
