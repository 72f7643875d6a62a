"""Checking an audit: that no line was changed, taken out, put in or moved.

It reads and never mends.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from clawback.audit.chain import GENESIS, Link, NotALine, read_line, segments


@dataclass(frozen=True, slots=True)
class Verified:
    """An intact audit: how many lines from which to which number, over how many files, and the last hash, worth keeping elsewhere.

    `first` is above 1 where older files were archived away. `torn` says that the last line is
    unfinished: a write was cut short or is going on; nobody was told it was written.
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


def verify(path: Path, head: str | None = None) -> Verified | Broken:
    """Check a whole audit, rotated files included; given a rotated file, check that one alone.

    A chain that was cut off at its end is whole by itself: only a `head` that was kept from an
    earlier check tells that lines are gone.

    Raises:
        OSError: a file cannot be read.

    """
    files = segments(path) or [path]
    link: Link | None = None
    first, number, torn, is_kept = 0, 0, False, head is None
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if torn := not line.endswith(b"\n"):
                    if file is not files[-1]:
                        return Broken(file, number, "it is unfinished, yet a later file follows")
                    break
                step = _step(line, link)
                if isinstance(step, str):
                    return Broken(file, number, step)
                link, first, is_kept = step, first or step.sequence, is_kept or step.hash == head
    if not is_kept:
        return Broken(
            files[-1],
            number,
            "the line of that head is gone: lines were cut off the end, or it is another audit",
        )
    end = link or Link()
    return Verified(
        end.sequence - first + 1 if first else 0, first, end.sequence, end.hash, len(files), torn
    )


def verify_tail(path: Path, reach: int = 1024 * 1024) -> Verified | Broken:
    """Check the last lines of one file, as far as `reach` bytes go.

    The line of a `Broken` is counted from where that begins.

    Raises:
        OSError: the file cannot be read.

    """
    with path.open("rb") as file:
        begin = max(0, file.seek(0, os.SEEK_END) - reach)
        file.seek(begin)
        lines = file.read().splitlines(keepends=True)[1 if begin else 0 :]
    torn = bool(lines) and not lines[-1].endswith(b"\n")
    link: Link | None = None
    first = 0
    for number, line in enumerate(lines[:-1] if torn else lines, 1):
        step = _step(line, link)
        if isinstance(step, str):
            return Broken(path, number, step)
        link, first = step, first or step.sequence
    end = link or Link()
    return Verified(
        end.sequence - first + 1 if first else 0, first, end.sequence, end.hash, 1, torn
    )


def _step(line: bytes, before: Link | None) -> Link | str:
    try:
        link, previous = read_line(line)
    except NotALine as error:
        return str(error)
    if before is None:
        return (
            link
            if link.sequence > 1 or previous == GENESIS
            else "it says to be the first, but names a line before it"
        )
    if link.sequence != before.sequence + 1:
        return f"it has number {link.sequence} after {before.sequence}: lines are missing or were moved"
    return link if previous == before.hash else "it does not follow the line before it"
