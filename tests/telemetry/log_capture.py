"""Captures what a process would log, without leaving its configuration behind."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from clawback.telemetry import configure_logging


@contextmanager
def captured_logs(log_format: str = "json", level: str = "info") -> Iterator[io.StringIO]:
    """Configure logging into a buffer; restore the former configuration afterwards."""
    root = logging.getLogger()
    handlers, root_level, hook = root.handlers[:], root.level, sys.excepthook
    stream = io.StringIO()
    configure_logging(log_format, level, stream)
    try:
        yield stream
    finally:
        root.handlers[:], root.level, sys.excepthook = handlers, root_level, hook
        structlog.reset_defaults()


def log_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Parse JSON log lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]
