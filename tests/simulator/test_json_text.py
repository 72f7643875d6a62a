"""JSON lines as people and their programs save them."""

import codecs
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawback.backtest.corpus_history import corpus_events
from clawback.cli.exits import Failure
from clawback.cli.rules import event_files
from clawback.cli.rules.event_files import read_events
from clawback.model.events import EventKind
from clawback.simulator.corpus import CorpusError, read_corpus
from clawback.simulator.json_text import decode_json, decode_text

NOW = datetime(2026, 11, 28, tzinfo=UTC)
DEEP = b"[" * 100_000


def corpus(*subjects: str) -> str:
    lines = [
        {"message": {"id": f"m-{number}", "subject": subject}}
        for number, subject in enumerate(subjects)
    ]
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def subjects_of(path: Path) -> list[list[object]]:
    """Read a file as simulator, backtest and `rules explain` do; return the subjects."""
    return [
        [line.record["subject"] for line in read_corpus(path)],
        [event.record["subject"] for event in corpus_events([path], NOW, lambda _: None)],
        [event.record["subject"] for event in read_events([str(path)], [EventKind.MESSAGE], NOW)],
    ]


def refusals_of(path: Path) -> list[str]:
    with pytest.raises(CorpusError) as by_corpus:
        list(read_corpus(path))
    with pytest.raises(Failure) as by_command:
        read_events([str(path)], [EventKind.MESSAGE], NOW)
    return [str(by_corpus.value), str(by_command.value)]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\u000b", "\u000c", "\u001e"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path, separator: str) -> None:
    """Whatever else Python takes for the end of a line may stand in a subject."""
    path = tmp_path / "corpus.jsonl"
    subjects = [f"Pay{separator}now", "Invoice"]
    path.write_bytes(corpus(*subjects).encode())
    assert subjects_of(path) == [subjects] * 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_ends_of_lines_of_windows_are_accepted(
    tmp_path: Path, end: bytes
) -> None:
    """The first record is not lost, nor taken for something else."""
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + corpus("Pay", "Now").encode().replace(b"\n", end))
    assert subjects_of(path) == [["Pay", "Now"]] * 3


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (corpus("Pay", "Now").encode("utf-16"), "this is UTF-16 text; save it as UTF-8"),
        (corpus("Pay").encode("utf-16-be"), "this is UTF-16 text"),
        (corpus("Pay").encode("utf-32"), "this is UTF-32 text"),
        (corpus("schlüssel").encode("latin-1"), "is not UTF-8; save it as UTF-8"),
        (b'{"message":' + DEEP + b"\n", "not JSON: nested too deeply"),
        (b'{"message":\n', "not JSON: Expecting value"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    """With file and line, and what to do about it."""
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(data)
    by_corpus, by_command = refusals_of(path)
    assert f"{path}:1: {says}" in by_corpus or says in by_corpus
    assert str(path) in by_command
    assert says in by_command


def test_a_file_of_events_that_is_too_large_is_refused_and_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as it is, nor as it is once unpacked."""
    monkeypatch.setattr(event_files, "_LARGEST", 1024 * 1024)
    plain, packed = tmp_path / "events.jsonl", tmp_path / "events.jsonl.gz"
    data = corpus("Pay").encode() + b" " * 2 * 1024 * 1024
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    for path in (plain, packed):
        with pytest.raises(Failure, match="larger than 1 MiB"):
            read_events([str(path)], [EventKind.MESSAGE], NOW)


def test_what_orjson_refuses_is_read_all_the_same() -> None:
    """Numbers that are none, integers beyond 64 bits in a text, lone surrogates."""
    assert decode_json(b"\xef\xbb\xbf[1]") == [1]
    assert decode_json('["\\ud800"]') == ["\ud800"]
    assert decode_text(codecs.BOM_UTF8 + "ü".encode()) == "ü"
