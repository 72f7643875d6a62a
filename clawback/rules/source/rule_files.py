"""Lists and reads files of a folder of rules, and nothing outside of it.

Problems quote what they are about, and a folder may come from a shared repository: a link in it
must not make `rules check`, a log or a notification show another file of the machine.
"""

import codecs
import os
import stat
from dataclasses import dataclass, field
from errno import EINVAL
from pathlib import Path

from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.yaml_reader import (
    LARGEST_FILE,
    Document,
    read_documents,
    read_text,
)

RULE_SUFFIXES = frozenset({".yml", ".yaml"})
"""How the name of a YAML file ends, in lower case or not."""
LISTS = "lists"
"""The name of the folder of values that rules name."""
LIST_SUFFIXES = RULE_SUFFIXES | {".txt", ".csv"}
MOST_FILES = 20_000
_MOST_FOLDERS = 1_000
_DEEPEST = 20
"""Folders in folders. Links between folders could make any number of paths."""
_MOST_PROBLEMS = 100
_TOO_LARGE = (
    f"it has over {MOST_FILES:,} files, {_MOST_FOLDERS:,} folders or {_MOST_PROBLEMS} links that "
    "lead elsewhere, or folders too deep"
)


class LinkOutOfFolder(OSError):
    """It is a link to somewhere that does not belong to the rules."""


@dataclass
class Listing:
    """The files of a folder of rules, relative to it, and what of it could not be listed.

    `problems` names a link or a folder, and says why its files are missing.
    """

    files: list[Path] = field(default_factory=list)
    problems: dict[Path, str] = field(default_factory=dict)
    folders: int = 0

    @property
    def is_full(self) -> bool:
        """Whether there is more than a folder of rules may have."""
        return (
            len(self.files) >= MOST_FILES
            or self.folders >= _MOST_FOLDERS
            or len(self.problems) >= _MOST_PROBLEMS
        )


def list_rule_folder(folder: Path) -> Listing:
    """List the files of a folder that hold rules, exceptions, values or limits, by their names.

    Links to folders are followed within the folder: Kubernetes mounts the folders of a ConfigMap
    as links through `..data`. Names that begin with a dot are left out. It raises nothing.
    """
    found = Listing()
    root = Path(os.path.realpath(folder))
    _list_below(Path(), (root,), found)
    found.files.sort()
    return found


def _list_below(inner: Path, parents: tuple[Path, ...], found: Listing) -> None:
    """List the folder `inner`. `parents` are the real paths from the root to it."""
    real = parents[-1]
    try:
        names = sorted(one.name for one in real.iterdir() if not one.name.startswith("."))
    except OSError as error:
        found.problems[inner] = f"the folder cannot be read: {error.strerror}"
        return

    found.folders += 1
    for name in names:
        if found.is_full or len(parents) > _DEEPEST or Path() in found.problems:
            found.problems = {Path(): _TOO_LARGE}
            return

        path = inner / name
        try:
            _list_entry(path, parents, found)
        except OSError as error:
            found.problems[path] = f"it cannot be looked at: {error.strerror}"


def _list_entry(inner: Path, parents: tuple[Path, ...], found: Listing) -> None:
    here = parents[-1] / inner.name
    if here.is_dir():
        _list_folder(inner, parents, found)
    elif _has_rule_name(inner):
        found.files.append(inner)
    elif here.is_symlink() and not here.exists():
        # It may stand for a folder, whose exceptions must not be missing unnoticed.
        found.problems[inner] = "the link leads nowhere"


def _list_folder(inner: Path, parents: tuple[Path, ...], found: Listing) -> None:
    real = Path(os.path.realpath(parents[-1] / inner.name))
    reason = _reason_outside(parents[0], real)
    if real in parents:
        reason = "it is a link to a folder above it"

    if reason is None:
        _list_below(inner, (*parents, real), found)
    else:
        found.problems[inner] = f"the folder is not read: {reason}"


def _has_rule_name(path: Path) -> bool:
    return path.suffix.lower() in (LIST_SUFFIXES if path.parts[0] == LISTS else RULE_SUFFIXES)


def read_rule_file(folder: Path, name: str | Path) -> bytes:
    """Read one file of a folder.

    Links within the folder are followed: Kubernetes mounts every file as one, through `..data`.

    Raises:
        LinkOutOfFolder: it is a link out of the folder, or to a hidden file such as `.git/config`.
        OSError: it cannot be read, or is no regular file.

    """
    real = os.path.realpath(folder / name)
    if reason := _reason_outside(Path(os.path.realpath(folder)), Path(real)):
        raise LinkOutOfFolder(EINVAL, reason)

    # What is a link by now has been changed since it was resolved; a pipe must not block.
    file = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(EINVAL, "it is not a regular file")
        return opened.read()


def read_file_documents(
    folder: Path,
    name: str | Path,
    problems: Problems,
    shown: str | None = None,
    *,
    largest: int = LARGEST_FILE,
) -> list[Document]:
    """Read the YAML documents of one file; none, and a problem, if it cannot be read.

    `shown` is the name of the file in problems, by default its name in the folder.
    """
    shown = shown or Path(name).as_posix()
    raw = _read(folder, name, problems, shown)
    return read_documents(shown, raw, problems, largest) if raw is not None else []


def read_file_text(
    folder: Path, name: str | Path, problems: Problems, *, largest: int
) -> str | None:
    """Read the text of a list, without its byte order mark; None, and problems, if it has any."""
    shown = Path(name).as_posix()
    raw = _read(folder, name, problems, shown)
    if raw is None:
        return None
    return read_text(shown, raw.removeprefix(codecs.BOM_UTF8), problems, largest)


def _read(folder: Path, name: str | Path, problems: Problems, shown: str) -> bytes | None:
    try:
        return read_rule_file(folder, name)
    except LinkOutOfFolder as error:
        problems.add(
            Place(shown),
            Code.UNREADABLE,
            f"the file is not read: {error.strerror}",
            remedy="put the file itself there",
        )
    except OSError as error:
        problems.add(
            Place(shown),
            Code.UNREADABLE,
            f"the file cannot be read: {error.strerror}",
            remedy="check that it exists and can be read",
        )
    return None


def _reason_outside(folder: Path, real: Path) -> str | None:
    """Say why a real path does not belong to a folder of rules; None if it does."""
    if not real.is_relative_to(folder):
        return "it is a link out of the folder"

    parts = real.relative_to(folder).parts
    if any(part.startswith(".") and not part.startswith("..") for part in parts):
        return "it is a link to a hidden file"
    return None
