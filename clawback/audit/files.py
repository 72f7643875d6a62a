"""The files of one audit: the live one, and rotated ones, named after their last line.

Writers rotate while others read, and rotated files are compressed or removed at any time. What
another program rotated, such as logrotate, has a number or a date at the end of its name: it is
placed by the lines that it holds.
"""

import glob
import gzip
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

COMPRESSED = ".gz"
"""Ends the names of rotated files that were compressed."""

_DIGITS = 12
_FOREIGN = re.compile(r"[.-]\d[\d-]*")
_SEQUENCE = re.compile(rb'"product":\{[^{}]*\},"sequence":(\d+)\},"time":')


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers of the first and the last line of a file."""

    first: int
    last: int


def audit_files(path: Path) -> list[Path]:
    """List the files of one audit, oldest first: the rotated ones, then the live one.

    Copies of what another file of the audit holds are left out.
    """
    rotated = list_own_files(path)
    if foreign := list_foreign_files(path):
        rotated = sorted([*rotated, *foreign], key=sequence_of)
    return [*rotated, path] if path.exists() else rotated


def list_own_files(path: Path) -> list[Path]:
    """List what clawback rotated, oldest first."""
    named = _with_end(path, r"\.\d{12,}")
    return [named[name] for name in sorted(named, key=lambda name: int(name.rpartition(".")[2]))]


def list_foreign_files(path: Path) -> list[Path]:
    """List what another program rotated, unless its lines are in another file too."""
    named = _with_end(path, _FOREIGN.pattern)
    own = list_own_files(path)
    foreign = [file for file in named.values() if file not in own and span_of(file) is not None]
    if not foreign:
        return []

    others = [span for file in (*own, path) if (span := span_of(file)) is not None]
    found: list[Path] = []
    for file in sorted(foreign, key=lambda one: (sequence_of(one), one.name)):
        span = span_of(file)
        if span is not None and not any(one.first <= span.last <= one.last for one in others):
            others.append(span)
            found.append(file)
    return found


def sequence_of(rotated: Path) -> int:
    """Return the number of the last line of a rotated file: by its name, or by what it holds."""
    number = rotated.name.removesuffix(COMPRESSED).rpartition(".")[2]
    if number.isdecimal() and len(number) >= _DIGITS:
        return int(number)
    span = span_of(rotated)
    return span.last if span else 0


def span_of(file: Path) -> Span | None:
    """Find the first and the last line of a file; None without any, or if it cannot be read."""
    try:
        status = file.stat()
        return _read_span(file, status.st_ino, status.st_size, status.st_mtime_ns)
    except (OSError, EOFError):
        return None


def open_audit_file(file: Path) -> BinaryIO:
    """Open a file of an audit for reading, also a compressed one.

    Raises:
        OSError: it cannot be read.

    """
    # gzip raises OSError too if the content is damaged; EOFError is the exception to that.
    return cast(BinaryIO, gzip.open(file, "rb")) if file.suffix == COMPRESSED else file.open("rb")


def walk_audit_files(path: Path, after: int = 0) -> Iterator[tuple[Path, BinaryIO]]:
    """Open the files with lines after a number, oldest first, each as long as it is read.

    No file is missed or given twice if the audit is rotated or compressed meanwhile. The live file
    comes last, under `path`.

    Raises:
        OSError: a file cannot be read.

    """
    while True:
        with ExitStack() as opened:
            # Opened before the others are listed: a rotation in between puts it among them.
            live = None
            with suppress(FileNotFoundError):
                live = opened.enter_context(open_audit_file(path))
            rotated = _next_rotated(path, after)
            if rotated is None:
                if live is not None:
                    yield path, live
                return

            after = sequence_of(rotated[0])
            with rotated[1] as lines:
                yield rotated[0], lines


def _next_rotated(path: Path, after: int) -> tuple[Path, BinaryIO] | None:
    while True:
        rotated = (file for file in audit_files(path) if file != path)
        file = next((one for one in rotated if sequence_of(one) > after), None)
        if file is None:
            return None
        try:
            return file, open_audit_file(file)
        except FileNotFoundError:
            # Compressed or removed since it was listed.
            continue


def _with_end(path: Path, end: str) -> dict[str, Path]:
    """Find the files beside the live one whose names go on like this, by name without `.gz`."""
    pattern = re.compile(re.escape(path.name) + end)
    found: dict[str, Path] = {}
    for file in sorted(path.parent.glob(f"{glob.escape(path.name)}[.-]*")):
        name = file.name.removesuffix(COMPRESSED)
        if pattern.fullmatch(name):
            # The original, as long as it is there beside a compressed copy.
            found.setdefault(name, file)
    return found


@lru_cache(maxsize=256)
def _read_span(file: Path, inode: int, size: int, changed: int) -> Span | None:  # noqa: ARG001
    with open_audit_file(file) as lines:
        first = _first_number(islice(lines, 1))
        return None if first is None else Span(first, _last_number(lines, size, first))


def _first_number(lines: Iterable[bytes]) -> int | None:
    found = (_SEQUENCE.search(line) for line in lines if line.endswith(b"\n"))
    return next((int(one[1]) for one in found if one), None)


def _last_number(lines: BinaryIO, size: int, first: int) -> int:
    if isinstance(lines, gzip.GzipFile):
        last = first
        for line in lines:
            last = _first_number([line]) or last
        return last

    # Twice the longest record: the last line may be incomplete.
    lines.seek(max(0, size - 2 * 1024 * 1024))
    ends = (_first_number([line]) for line in reversed(lines.read().splitlines(keepends=True)))
    return next(filter(None, ends), first)
