"""Reads events from files: corpus lines, API records, API responses, lists, JSON lines."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from clawback.cli.exits import ExitCode, Failure
from clawback.ingest.join import join_messages
from clawback.model.events import (
    SOURCES,
    Enrichment,
    Event,
    EventKind,
    NotAnEvent,
    build_event,
    message_event,
    source_of,
)
from clawback.simulator.json_text import decode_json, decode_text, split_lines

_GZIP = b"\x1f\x8b"
_LARGEST = 64 * 1024 * 1024


def read_events(names: Sequence[str], kinds: Sequence[EventKind], now: datetime) -> list[Event]:
    """Read events from files (`-` is stdin) and join reports and submissions to their messages.

    A bare record gets the first of `kinds` that it can be.

    Raises:
        Failure: a file cannot be read, has no event, or has something else; the message names file
            and line.

    """
    events = [event for name in names for event in _file_events(name, kinds, now)]
    if not events:
        where = ", ".join("stdin" if name == "-" else name for name in names)
        raise Failure(f"there is no event in {where}", ExitCode.USAGE)

    messages = [event for event in events if event.kind is EventKind.MESSAGE]
    return [
        event if event.has_message else join_messages(event, _named(event, messages))
        for event in events
    ]


def _file_events(name: str, kinds: Sequence[EventKind], now: datetime) -> Iterator[Event]:
    for where, value in _values("stdin" if name == "-" else name, _text(name)):
        try:
            yield from (_event(record, kinds, now) for record in _records(value))
        except NotAnEvent as error:
            raise Failure(f"{where}: {error}", ExitCode.USAGE) from None


def _text(name: str) -> str:
    where = "stdin" if name == "-" else name
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            raw = _read_bounded(file)
        if raw[:2] == _GZIP:
            with gzip.open(io.BytesIO(raw)) as unpacked:
                raw = _read_bounded(unpacked)
        return decode_text(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Failure(f"{where}: cannot decompress: {error}", ExitCode.USAGE) from None
    except OSError as error:
        raise Failure(f"{where}: {error.strerror}", ExitCode.USAGE) from None
    except ValueError as error:
        raise Failure(f"{where}: {error}", ExitCode.USAGE) from None


def _read_bounded(file: BinaryIO | gzip.GzipFile) -> bytes:
    data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST // 1024**2} MiB; use `rules backtest --corpus`")
    return data


def _values(name: str, text: str) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a text: one JSON document, or one on each line."""
    if not text.strip():
        return

    try:
        whole = decode_json(text)
    except ValueError as error:
        lines = list(split_lines(text))
        is_one_document = len(lines) <= 1 or not lines[0][1].rstrip().endswith("}")
        if is_one_document:
            raise Failure(f"{name}: {error}", ExitCode.USAGE) from None
    else:
        yield name, whole
        return

    for number, line in lines:
        try:
            yield f"{name}:{number}", decode_json(line)
        except ValueError as error:
            raise Failure(f"{name}:{number}: {error}", ExitCode.USAGE) from None


def _records(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and "success" in value and "result" in value:
        value = value["result"]
    yield from value if isinstance(value, list) else [value]


def _event(value: Any, kinds: Sequence[EventKind], now: datetime) -> Event:
    if not isinstance(value, dict):
        raise NotAnEvent("an event is a JSON object")

    for source in SOURCES.values():
        name = source.short_name
        if isinstance(value.get(name), dict) and value.keys() <= {name, *Enrichment}:
            event = source.build(value[name], now)
            for enrichment in (one for one in Enrichment if one in value):
                event = event.enriched(enrichment, value[enrichment] or {})
            return event

    kind = _kind_of(value, kinds)
    event = build_event(kind, value, now)
    message = value.get("message")
    if not SOURCES[kind].is_joined or not isinstance(message, dict):
        return event

    return event.with_message(message_event(message, now))


def _kind_of(record: Mapping[str, Any], kinds: Sequence[EventKind]) -> EventKind:
    shapes = (source.kind for source in SOURCES.values() if source.is_shape_of(record))
    if (kind := next(shapes, None)) is not None:
        return kind
    return EventKind.MESSAGE if EventKind.MESSAGE in kinds else kinds[0]


def _named(event: Event, messages: Sequence[Event]) -> list[Event]:
    postfix_id = source_of(event).postfix_id(event)
    return [
        one
        for one in messages
        if postfix_id is not None and one.record.get("postfix_id") == postfix_id
    ]
