"""Locates the files that are used by path: `worker.py` with its packages, and the shipped rules.

A wheel carries them in `clawback/_app`; in a checkout they are at the top of the repository.
Child processes start through the commands built here, so no code comes from the current directory.
`build_id` names the code of a worker.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from clawback import __version__

_PACKAGE = Path(__file__).resolve().parent
_NEVER_IN_A_WORKER = frozenset(
    {"_app", "backtest", "backup", "cli", "codec", "doctor", "local", "rehearsal", "simulator"}
)
_DIGITS = 12


def app_folder() -> Path:
    """Return the folder that holds `worker.py`, `workflows`, `activities` and `rules`."""
    packaged = _PACKAGE / "_app"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def module_command(module: str) -> list[str]:
    """Build the command that runs an installed module.

    Without `-P`, `python -m` would put the current directory first on `sys.path`.
    """
    return [sys.executable, "-P", "-m", module]


def worker_command() -> list[str]:
    """Build the command that runs the worker."""
    return module_command("clawback.run_worker")


@lru_cache(maxsize=1)
def build_id() -> str:
    """Return the build of this worker: the version, and a digest of the code that a worker runs.

    Workers of one build are interchangeable. Rules are no part of it: they change while a worker
    runs. A wheel and a checkout of the same code are the same build.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_worker_code()):
        digest.update(f"{name}\n".encode())
        digest.update(path.read_bytes())
    return f"{__version__}-{digest.hexdigest()[:_DIGITS]}"


def _worker_code() -> Iterator[tuple[str, Path]]:
    app = app_folder()
    yield "worker.py", app / "worker.py"
    for package in (app / "workflows", app / "activities", _PACKAGE):
        for path in package.rglob("*.py"):
            inner = path.relative_to(package)
            if package != _PACKAGE or inner.parts[0] not in _NEVER_IN_A_WORKER:
                yield f"{package.name}/{inner.as_posix()}", path


def shipped_rules() -> Path:
    """Return the folder of the rules that come with clawback."""
    return app_folder() / "rules"


def default_rules() -> Path:
    """Choose the rules where no folder is set: `./rules` if it exists, else the shipped rules."""
    own = Path("rules")
    return own if own.is_dir() else shipped_rules()


def describe_rules(folder: Path) -> str:
    """Return the path of a folder of rules, marked if it is the shipped one."""
    shipped = shipped_rules()
    is_packaged = shipped.is_relative_to(_PACKAGE)  # in a checkout they are there to be edited
    if folder != shipped and not (is_packaged and folder.resolve() == shipped):
        return str(folder)
    return f"{folder} (shipped; `clawback rules init` copies them out to edit)"


def copy_shipped_rules(folder: Path) -> int:
    """Copy the shipped rules to a new or empty folder and return the number of files.

    Raises:
        FileExistsError: the folder exists and is not empty.

    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty")

    shutil.copytree(shipped_rules(), folder, dirs_exist_ok=True)
    return sum(path.is_file() for path in folder.rglob("*"))
