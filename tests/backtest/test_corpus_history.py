"""History from corpus files: read once, in order, joined, and in bounded memory."""

import gzip
import json
import os
import threading
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clawback.backtest import Backtest
from clawback.backtest.corpus_history import corpus_events
from clawback.model.events import EventKind
from clawback.simulator.corpus import CorpusError
from tests.rules.folders import PLAIN, load

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def message(number: int, **fields: Any) -> dict[str, Any]:
    """A line with one message."""
    at = "2026-01-01T00:00:00Z"
    return {"message": {"id": f"m{number}", "scanned_at": at, **fields}, "detections": {"n": 1}}


def ignore(_: int) -> None:
    """Report no progress."""


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_messages_are_read_once_so_that_a_pipe_will_do(tmp_path: Path) -> None:
    """A named pipe, which can be read only once, gives all its messages."""
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(
        target=write_lines, args=(pipe, [message(n) for n in range(3)]), daemon=True
    )
    writer.start()
    assert [event.id for event in corpus_events([pipe], NOW, ignore)] == ["m0", "m1", "m2"]
    writer.join(timeout=10)


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_reports_come_last_with_their_message_and_its_detections(tmp_path: Path, name: str) -> None:
    """A report is joined wherever its message is, also in a later file."""
    report = {"report": {"id": 7, "fields": {"postfix_id": "p1"}}}
    alone = {"report": {"id": 8, "fields": {"postfix_id": "p9"}}}
    first = write_lines(tmp_path / name, [report, alone, message(0, postfix_id="p0")])
    second = write_lines(tmp_path / f"second-{name}", [message(1, postfix_id="p1")])
    events = list(corpus_events([first, second], NOW, ignore))
    assert [event.id for event in events] == ["m0", "m1", "7", "8"]
    joined, unjoined = events[2:]
    assert joined.kind is EventKind.PHISHGUARD_REPORT
    assert joined.targets[0].id == "m1"
    assert joined.record["detections"] == joined.message["detections"] == {"n": 1}
    assert (unjoined.targets, unjoined.record["detections"]) == ((), {})


def test_progress_adds_up_to_the_size_of_the_files(tmp_path: Path) -> None:
    """Both kinds of file report exactly their size."""
    lines = [message(number) for number in range(1200)]
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        path, told = write_lines(tmp_path / name, lines), list[int]()
        assert len(list(corpus_events([path], NOW, told.append))) == len(lines)
        assert sum(told) == path.stat().st_size


def test_an_odd_line_is_read_or_named(tmp_path: Path) -> None:
    """NaN, which orjson refuses, is read; bad UTF-8 is an error with its line."""
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b'{"message": {"id": "a", "n": NaN}}\n{"message": {"id": "\xff"}}\n')
    events = corpus_events([path], NOW, ignore)
    assert next(events).id == "a"
    with pytest.raises(CorpusError, match=r"corpus\.jsonl:2: "):
        next(events)


def test_memory_does_not_grow_with_events_that_match_nothing(tmp_path: Path) -> None:
    """Only the hash of its key is kept of an event: less than 200 bytes."""
    lines = [message(number, subject="x" * 2_000) for number in range(3_000)]
    path = write_lines(tmp_path / "corpus.jsonl.gz", lines)
    backtest = Backtest([load(tmp_path / "rules", {"a_rule.yml": PLAIN})])
    tracemalloc.start()
    try:
        for event in corpus_events([path], NOW, ignore):
            backtest.take(event, None)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert backtest.traffic.events == len(lines)
    assert kept < 200 * len(lines)
