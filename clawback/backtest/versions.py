"""Another version of a folder of rules.

A directory, or a git revision unpacked into a temporary folder. Never touches the work tree.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 60


class NoSuchVersion(ValueError):
    """Neither a directory nor a revision that has the rules.

    The text says which of it is not so.
    """


@contextmanager
def open_version(name: str, folder: Path) -> Iterator[Path]:
    """Give the folder that a name means.

    That directory, or `folder` as it was at that git revision.

    Raises:
        NoSuchVersion: there is no such directory or revision, `folder` is in no git repository, or
            was not there at that revision.

    """
    if Path(name).is_dir():
        yield Path(name)
        return
    prefix = _git(
        folder,
        "rev-parse",
        "--show-prefix",
        otherwise=f"there is no directory {name!r}, and {folder} is in no git repository",
    )
    where = prefix.decode().strip().rstrip("/")
    known = f"there is no directory and no git revision {name!r}"
    revision = (
        _git(
            folder,
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{name}^{{commit}}",
            otherwise=known,
        )
        .decode()
        .strip()
    )
    tree = f"{revision}:{where}" if where else revision
    packed = _git(
        folder,
        "archive",
        "--format=tar",
        tree,
        otherwise=f"{folder} is not in git at {name}",
        at_top=True,
    )
    with tempfile.TemporaryDirectory(prefix="clawback-rules-") as temporary:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(temporary, filter="data")
        yield Path(temporary)


def _git(folder: Path, *arguments: str, otherwise: str, at_top: bool = False) -> bytes:
    """Run git in a folder; `archive` wants the top of the work tree."""
    try:
        if at_top:
            top = _git(folder, "rev-parse", "--show-toplevel", otherwise=otherwise)
            folder = Path(top.decode().strip())
        return subprocess.run(  # noqa: S603 - no shell, and the arguments are ours but for a revision that cannot be an option
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
        ).stdout
    except FileNotFoundError:
        raise NoSuchVersion(
            f"there is no directory of that name, and git is not installed: {otherwise}"
        ) from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise NoSuchVersion(otherwise) from None
