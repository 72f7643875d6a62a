"""The files of one audit: the live one, and rotated ones, named after their last line.

Writers rotate while others read, and rotated files are compressed or removed at any time.
"""

import glob
import gzip
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, cast

COMPRESSED = ".gz"
"""Ends the names of rotated files that were compressed."""


def audit_files(path: Path) -> list[Path]:
    """List the files of one audit, oldest first: the rotated ones, then the live one."""
    rotated: dict[str, Path] = {}
    for file in sorted(path.parent.glob(f"{glob.escape(path.name)}.*")):
        name = file.name.removesuffix(COMPRESSED)
        if name.rpartition(".")[2].isdecimal():
            # The original, as long as it is there beside a compressed copy.
            rotated.setdefault(name, file)
    files = [rotated[name] for name in sorted(rotated)]
    return [*files, path] if path.exists() else files


def sequence_of(rotated: Path) -> int:
    """Return the number of the last line of a rotated file, which is in its name."""
    return int(rotated.name.removesuffix(COMPRESSED).rpartition(".")[2])


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
