"""Opens another version of a rule folder: a directory, or a git revision.

A revision is unpacked into a temporary folder; the work tree is never touched.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TIMEOUT = 60


class NoSuchVersion(ValueError):
    """The name is neither a directory nor a git revision that contains the rules."""


@contextmanager
def open_version(name: str, folder: Path) -> Iterator[Path]:
    """Give the directory `name`, or `folder` as it was at the git revision `name`.

    Raises:
        NoSuchVersion: there is no such directory or revision, `folder` is in no git repository, or
            it did not exist at that revision.

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
    """Run git in a folder, or at the top of its work tree (`archive` works only there)."""
    try:
        if at_top:
            top = _git(folder, "rev-parse", "--show-toplevel", otherwise=otherwise)
            folder = Path(top.decode().strip())

        return subprocess.run(  # noqa: S603 - no shell; a revision cannot be an option
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            check=True,
            timeout=_TIMEOUT,
        ).stdout
    except FileNotFoundError:
        raise NoSuchVersion(
            f"there is no directory of that name, and git is not installed: {otherwise}"
        ) from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise NoSuchVersion(otherwise) from None
