"""Builds a history of any length: a corpus repeated, each time a day earlier and with new ids."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

from clawback.model.times import parse_time
from clawback.simulator import demo_corpus

Line = Mapping[str, Any]
_IDS = ("id", "postfix_id", "message_id", "alert_id")
_TIMES = ("scanned_at", "sent_at", "ts", "sent_date")


def write_history(corpus: Path, events: int, path: Path) -> None:
    """Write `events` messages of a corpus (or of the demo corpus) as `.jsonl.gz`."""
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=5) as file:
        file.writelines(
            json.dumps(line) + "\n" for line in islice(_repeated(list(_messages(corpus))), events)
        )


def _messages(corpus: Path) -> Iterator[Line]:
    lines: Iterable[Line] = (
        map(json.loads, gzip.decompress(corpus.read_bytes()).splitlines())
        if corpus.exists()
        else demo_corpus(0)
    )
    return (line for line in lines if "message" in line)


def _repeated(lines: list[Line]) -> Iterator[Line]:
    for turn in count():
        for line in lines:
            yield {
                **line,
                "message": {
                    **line["message"],
                    **_renamed(line["message"], turn),
                    **_earlier(line["message"], turn),
                },
            }


def _renamed(message: Line, turn: int) -> dict[str, str]:
    return {name: f"{value}-{turn}" for name in _IDS if isinstance(value := message.get(name), str)}


def _earlier(message: Line, turn: int) -> dict[str, str]:
    moments = ((name, parse_time(message.get(name))) for name in _TIMES)
    return {
        name: (moment - timedelta(days=turn)).isoformat()
        for name, moment in moments
        if moment is not None
    }
