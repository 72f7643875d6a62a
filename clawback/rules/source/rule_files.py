"""Reads files of a folder of rules, and nothing outside of it.

Problems quote what they are about, and a folder may come from a shared repository: a link in it
must not make `rules check`, a log or a notification show another file of the machine.
"""

import codecs
import os
import stat
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


class LinkOutOfFolder(OSError):
    """The file is a link to somewhere that does not belong to the rules."""


def read_rule_file(folder: Path, name: str | Path) -> bytes:
    """Read one file of a folder.

    Links within the folder are followed: Kubernetes mounts every file as one, through `..data`.

    Raises:
        LinkOutOfFolder: it is a link out of the folder, or to a hidden file such as `.git/config`.
        OSError: it cannot be read, or is no regular file.

    """
    real = os.path.realpath(folder / name)
    _require_inside(Path(os.path.realpath(folder)), Path(real))

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


def _require_inside(folder: Path, file: Path) -> None:
    if not file.is_relative_to(folder):
        raise LinkOutOfFolder(EINVAL, "it is a link out of the folder")

    parts = file.relative_to(folder).parts
    if any(part.startswith(".") and not part.startswith("..") for part in parts):
        raise LinkOutOfFolder(EINVAL, "it is a link to a hidden file")
