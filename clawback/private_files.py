"""Keeps the files of a process from other users of the machine: folders 0700, files 0600.

Databases, logs and the audit hold addresses and subjects.
"""

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from clawback.model.loggable import LoggableText

_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def hide_new_files() -> None:
    """Let only this user access what this process and its children create from now on."""
    os.umask(_GROUP_AND_OTHERS)


def private_paths(folders: Sequence[Path], audit: Path) -> Iterator[Path]:
    """Give folders, then their direct content, and the audit file with what belongs to it."""
    yield from folders
    for folder in folders:
        if folder.is_dir():
            yield from folder.iterdir()

    # Also its lock and the files that it was rotated to; it may be in a folder of its own.
    yield from audit.parent.glob(f"{glob.escape(audit.name)}*")


def find_exposed(paths: Iterable[Path]) -> list[Path]:
    """Find the paths that other users can access; links and what does not exist are left out."""
    return [path for path in dict.fromkeys(paths) if _is_exposed(path)]


def hide(paths: Iterable[Path]) -> list[Path]:
    """Take the access of other users away from what this user owns; return what was changed.

    A folder with the sticky bit, such as /tmp, is everybody's and stays as it is.
    """
    return [path for path in find_exposed(paths) if _is_ours(path) and _hide(path)]


def describe_hidden(paths: Sequence[Path]) -> LoggableText:
    """Say what `hide` has changed."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return LoggableText(
        f"set to mode 0700 or 0600, because other users had access: {paths[0]}{more}"
    )


def _is_exposed(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False

    if stat.S_ISLNK(status.st_mode):
        return False
    # A volume that Kubernetes mounts belongs to root, and to the group through which we use it.
    is_own = status.st_uid == os.geteuid()
    return bool(status.st_mode & (_GROUP_AND_OTHERS if is_own else stat.S_IRWXO))


def _is_ours(path: Path) -> bool:
    status = path.lstat()
    return status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX


def _hide(path: Path) -> bool:
    try:
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~_GROUP_AND_OTHERS)
    except OSError:
        return False
    return True
