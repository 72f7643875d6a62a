"""Verifies an audit: no line was changed, removed, inserted or moved. Reads only."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clawback.audit.chain import GENESIS, ChainLink, InvalidLine, audit_files, read_line


@dataclass(frozen=True, slots=True)
class Verified:
    """An intact audit.

    `first` and `last` are line numbers; `first` is above 1 if older files were archived. `head` is
    the last hash: keep it elsewhere to detect lines cut off later. `torn` says that the last line
    is incomplete: a write was interrupted or is in progress, and no writer has reported success.
    """

    lines: int
    first: int
    last: int
    head: str
    files: int
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that breaks the chain, and how."""

    file: Path
    line: int
    reason: str


class _Chain:
    """Follows a chain line by line."""

    def __init__(self, head: str | None) -> None:
        self.link: ChainLink | None = None
        self.first = 0
        self.has_head = head is None
        self._head = head

    def follow(self, line: bytes) -> str | None:
        """Take the next line; return why it breaks the chain, or None."""
        try:
            link, previous = read_line(line)
        except InvalidLine as error:
            return str(error)

        if problem := _break_between(self.link, link, previous):
            return problem

        self.link, self.first = link, self.first or link.sequence
        self.has_head = self.has_head or link.hash == self._head
        return None

    def verified(self, files: int, *, torn: bool) -> Verified:
        end = self.link or ChainLink()
        lines = end.sequence - self.first + 1 if self.first else 0
        return Verified(lines, self.first, end.sequence, end.hash, files, torn)


def verify(path: Path, head: str | None = None) -> Verified | Broken:
    """Verify a whole audit with its rotated files; given a rotated file, that file alone.

    A chain that was cut off at its end looks intact by itself. Pass the `head` of an earlier
    verification to detect that.

    Raises:
        OSError: a file cannot be read.

    """
    files = audit_files(path) or [path]
    chain = _Chain(head)
    number, torn = 0, False

    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if torn := not line.endswith(b"\n"):
                    if file is not files[-1]:
                        return Broken(file, number, "incomplete line, but a later file follows")
                    break
                if problem := chain.follow(line):
                    return Broken(file, number, problem)

    if not chain.has_head:
        reason = "the line with that head is missing: lines were cut off, or it is another audit"
        return Broken(files[-1], number, reason)

    return chain.verified(len(files), torn=torn)


def verify_tail(path: Path, reach: int = 1024 * 1024) -> Verified | Broken:
    """Verify the last lines of one file, up to `reach` bytes.

    The line number of a `Broken` counts from the start of that part.

    Raises:
        OSError: the file cannot be read.

    """
    lines = _last_lines(path, reach)
    torn = bool(lines) and not lines[-1].endswith(b"\n")
    chain = _Chain(None)

    for number, line in enumerate(lines[:-1] if torn else lines, 1):
        if problem := chain.follow(line):
            return Broken(path, number, problem)

    return chain.verified(1, torn=torn)


def _last_lines(path: Path, reach: int) -> list[bytes]:
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - reach)
        file.seek(start)
        lines: Iterable[bytes] = file.read().splitlines(keepends=True)
    return list(lines)[1 if start else 0 :]


def _break_between(before: ChainLink | None, link: ChainLink, previous: str) -> str | None:
    if before is None:
        is_start = link.sequence > 1 or previous == GENESIS
        return None if is_start else "line number 1 names a line before it"
    if link.sequence != before.sequence + 1:
        return f"number {link.sequence} follows {before.sequence}: lines are missing or were moved"
    return None if previous == before.hash else "it does not follow the line before it"
