"""Tails: each new record once, through rotation, compression, removal and cuts."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.audit import (
    START,
    AuditFilter,
    AuditLine,
    AuditLog,
    AuditSearch,
    Backlog,
    Tail,
    Verified,
    audit_files,
    compress_rotated,
    read_head,
    read_records,
)
from clawback.audit import backlog as backlog_module
from clawback.audit.files import walk_audit_files
from tests.audit.test_audit import record
from tests.audit.test_retention import check, write

STEPS = ("write", "write many", "look", "compress", "remove", "cut a write", "empty", "tear")


class Player:
    """Plays steps on an audit with a tail, and keeps what the tail must return."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = AuditLog(path, max_bytes=2_000)
        self.log.append([record("before")])
        self.tail = Tail(path)
        self.expected: list[str] = []
        self.found: list[str] = []
        self._written = 0

    def play(self, step: str) -> None:
        """Play one step."""
        match step:
            case "write" | "write many":
                self._write(1 if step == "write" else 7)
            case "compress":
                compress_rotated(self.path)
            case "remove":
                self._look()
                for file in audit_files(self.path)[:-2]:
                    file.unlink()
            case "cut a write":
                self._cut(max(0, self.path.read_bytes()[:-1].rfind(b"\n") + 1))
            case "empty":
                self._cut(0)
            case "tear":
                with self.path.open("ab") as live:
                    live.write(b'{"unfinished')
        if step == "look":
            self._look()

    def end(self) -> None:
        """Look once more."""
        self._look()

    def _look(self) -> None:
        self.found += [one.id for one in self.tail.read()]

    def _cut(self, size: int) -> None:
        self._look()
        os.truncate(self.path, size)

    def _write(self, count: int) -> None:
        for _ in range(count):
            self._written += 1
            self.expected.append(f"r{self._written}")
            self.log.append([record(self.expected[-1])])


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=12))
def test_a_tail_returns_each_record_once(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever happens to the files between two looks."""
    player = Player(tmp_path_factory.mktemp("audit") / "audit.jsonl")
    for step in steps:
        player.play(step)
    player.end()
    assert player.found == player.expected


def test_a_tail_goes_on_where_its_reader_stopped(tmp_path: Path) -> None:
    """A call whose records were not all taken loses none."""
    path = tmp_path / "audit.jsonl"
    tail = Tail(path)
    write(path)
    assert next(tail.read()).id == "r0"
    assert [one.id for one in tail.read()] == [f"r{number}" for number in range(1, 12)]


def test_an_audit_that_was_begun_anew_is_followed_from_its_start(tmp_path: Path) -> None:
    """Somebody moved the files away."""
    path = tmp_path / "audit.jsonl"
    write(path)
    tail = Tail(path)
    for file in audit_files(path):
        file.rename(file.with_name(f"moved-{file.name}"))
    AuditLog(path).append([record("a"), record("b")])
    assert [one.id for one in tail.read()] == ["a", "b"]


def test_a_rotation_while_files_are_read_hides_no_line(tmp_path: Path) -> None:
    """In each reader: the live file is renamed after the first one was opened."""
    path = tmp_path / "audit.jsonl"
    log = write(path)
    readers: dict[str, Callable[[], Iterable[str]]] = {
        "search": lambda: (one.record.id for one in AuditSearch(path, AuditFilter())),
        "records": lambda: (one.id for one in read_records(path)),
        "lines": lambda: (
            name.name for name, lines in walk_audit_files(path) for line in lines if line
        ),
    }
    for name, read in readers.items():
        reading = iter(read())
        next(reading)
        before = read_head(path).sequence
        for number in range(7):
            log.append([record(f"{name}{number}")])
        compress_rotated(path)
        assert 1 + sum(1 for _ in reading) >= before + 6, name
    assert isinstance(check(path), Verified)


def test_a_batch_is_followed_without_reading_the_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog of many batches parses each line once."""
    monkeypatch.setattr(backlog_module, "MOST_LINES", 10)
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record(f"r{number}") for number in range(100)])
    parsed = 0
    parse = backlog_module._parse

    def count(text: bytes) -> AuditLine | None:
        nonlocal parsed
        parsed += 1
        return parse(text)

    monkeypatch.setattr(backlog_module, "_parse", count)
    backlog, head = Backlog(path), START
    while lines := backlog.read(head):
        head = lines[-1].head
    assert head.sequence == parsed == 100


def test_the_head_is_read_from_the_end(tmp_path: Path) -> None:
    """Of the live file, or of the name of the newest rotated one if there is none."""
    path = tmp_path / "audit.jsonl"
    assert read_head(path) == START
    log = write(path, 4)
    assert read_head(path) == log.read_head()
    path.unlink()
    assert read_head(path).sequence == 3
