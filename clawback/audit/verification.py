"""Verifies an audit: no line was changed, removed, inserted or moved. Reads only."""

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clawback.audit.chain import GENESIS, ChainLink, Head, InvalidLine, SealedLine, read_line
from clawback.audit.files import COMPRESSED, walk_audit_files
from clawback.audit.signing import PublicKey
from clawback.model.audit_record import RecordKind


@dataclass(frozen=True, slots=True)
class Verified:
    """An intact audit.

    `first` and `last` are line numbers. `keys` are the ids of the keys that signed, in order.
    `torn` says that the last line is incomplete: a write was interrupted or is in progress, and no
    writer has reported success.
    """

    lines: int
    first: int
    last: int
    hash: str
    files: int
    keys: tuple[str, ...] = ()
    torn: bool = False

    @property
    def head(self) -> Head:
        """The last line: keep it elsewhere."""
        return Head(self.last, self.hash)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that breaks the chain, and how."""

    file: Path
    line: int
    reason: str


class _Signatures:
    """Checks who signed each line, from the keys that are trusted.

    A trusted key can hand over to another. A key that was replaced signs nothing any more, so that
    one which leaks later cannot add lines.
    """

    def __init__(self, trusted: Iterable[PublicKey]) -> None:
        self._trusted = {key.id: key for key in trusted}
        self.used: list[str] = []

    def check(self, line: SealedLine) -> str | None:
        """Take the next line; return what is wrong with its signature, or None."""
        id_ = line.link.key
        if (key := self._trusted.get(id_)) is None:
            return f"key {id_} signed it, and no trusted key vouches for that one"
        if not key.has_signed(line.link.hash, line.signature):
            return f"it was not signed by key {id_}, which it names"

        if id_ in self.used[:-1]:
            return f"key {id_} signed it, which key {self.used[-1]} had replaced"
        if id_ not in self.used:
            self.used.append(id_)

        if line.event["metadata"].get("event_code") == RecordKind.AUDIT_KEY_CHANGED:
            self._trust(str(line.event["unmapped"].get("after")))
        return None

    def _trust(self, text: str) -> None:
        try:
            key = PublicKey.parse(text)
        except ValueError:
            return
        self._trusted.setdefault(key.id, key)


class _Chain:
    """Follows a chain line by line."""

    def __init__(self, keys: Iterable[PublicKey] | None, heads: Iterable[Head]) -> None:
        self._signatures = None if keys is None else _Signatures(keys)
        self._link: ChainLink | None = None
        self._first = 0
        self._removed_up_to = 0
        self._missing: dict[int, list[Head]] = {}
        for head in heads:
            self._missing.setdefault(head.sequence, []).append(head)

    def follow(self, line: bytes) -> str | None:
        """Take the next line; return why it breaks the chain, or None."""
        try:
            sealed = read_line(line)
        except InvalidLine as error:
            return str(error)

        link = sealed.link
        if problem := _break_between(self._link, sealed):
            return problem
        if self._signatures is not None and (problem := self._signatures.check(sealed)):
            return problem

        for head in self._missing.pop(link.sequence, ()):
            if not head.is_of(link):
                return f"the published head {head} names another line"

        self._note_removal(sealed)
        self._link, self._first = link, self._first or link.sequence
        return None

    def _note_removal(self, sealed: SealedLine) -> None:
        if sealed.event["metadata"].get("event_code") == RecordKind.AUDIT_FILES_REMOVED:
            with suppress(ValueError):
                removed = int(str(sealed.event["unmapped"].get("after")))
                self._removed_up_to = max(self._removed_up_to, removed)

    def find_lost_beginning(self) -> str | None:
        """Return which lines are missing before the first one without a record of that, or None."""
        if self._first <= self._removed_up_to + 1:
            return None
        return (
            f"lines {self._removed_up_to + 1} to {self._first - 1} are missing, and no record says "
            "that they were removed; --archived accepts files that you moved away"
        )

    def find_missing(self) -> str | None:
        """Return what the end of the audit lacks, or None."""
        if not self._missing:
            return None

        head = self._missing[max(self._missing)][0]
        where = f"the audit ends at {self._link.sequence if self._link else 0}"
        if head.sequence < self._first:
            where = f"the audit begins at {self._first}"
        return f"the line of the published head {head} is missing: {where}"

    def verified(self, files: int, *, torn: bool) -> Verified:
        end = self._link or ChainLink()
        lines = end.sequence - self._first + 1 if self._first else 0
        used = tuple(self._signatures.used) if self._signatures else ()
        return Verified(lines, self._first, end.sequence, end.hash, files, used, torn)


def verify(
    path: Path,
    keys: Sequence[PublicKey] | None,
    heads: Sequence[Head] = (),
    *,
    archived: bool = False,
) -> Verified | Broken:
    """Verify a whole audit with its rotated files; given a rotated file, that file alone.

    Files that retention removed are on record. With `archived`, older ones may be missing too.

    Without keys only the chain is checked, which anybody can compute anew. A chain that was cut off
    at its end looks intact by itself: pass `heads` that were published to detect that.

    Raises:
        OSError: a file cannot be read.

    """
    chain = _Chain(keys, heads)
    files: list[Path] = []
    number, torn = 0, False

    for file, lines in walk_audit_files(path):
        if torn:
            return Broken(files[-1], number, "incomplete line, but a later file follows")
        files.append(file)
        for number, line in enumerate(lines, 1):
            if torn := not line.endswith(b"\n"):
                break
            if problem := chain.follow(line):
                return Broken(file, number, problem)

    if not files:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if problem := chain.find_missing():
        return Broken(files[-1], number, problem)
    if not archived and not _is_rotated(path) and (problem := chain.find_lost_beginning()):
        return Broken(files[0], 1, problem)

    return chain.verified(len(files), torn=torn)


def verify_tail(
    path: Path, keys: Sequence[PublicKey] | None, reach: int = 1024 * 1024
) -> Verified | Broken:
    """Verify the last lines of one file, up to `reach` bytes.

    The line number of a `Broken` counts from the start of that part.

    Raises:
        OSError: the file cannot be read.

    """
    lines = _last_lines(path, reach)
    torn = bool(lines) and not lines[-1].endswith(b"\n")
    chain = _Chain(keys, ())

    for number, line in enumerate(lines[:-1] if torn else lines, 1):
        if problem := chain.follow(line):
            return Broken(path, number, problem)

    return chain.verified(1, torn=torn)


def _is_rotated(path: Path) -> bool:
    return path.name.removesuffix(COMPRESSED).rpartition(".")[2].isdecimal()


def _last_lines(path: Path, reach: int) -> list[bytes]:
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - reach)
        file.seek(start)
        lines: Iterable[bytes] = file.read().splitlines(keepends=True)
    return list(lines)[1 if start else 0 :]


def _break_between(before: ChainLink | None, line: SealedLine) -> str | None:
    link, previous = line.link, line.previous
    if before is None:
        is_start = link.sequence > 1 or previous == GENESIS
        return None if is_start else "line number 1 names a line before it"
    if link.sequence != before.sequence + 1:
        return f"number {link.sequence} follows {before.sequence}: lines are missing or were moved"
    return None if previous == before.hash else "it does not follow the line before it"
