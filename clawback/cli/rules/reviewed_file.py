"""Reads and writes the file of matches that people have reviewed."""

from collections.abc import Iterable
from pathlib import Path

from clawback.backtest.match_list import (
    ListedMatch,
    NotReviewed,
    Reviewed,
    read_reviewed,
    write_reviewed,
)
from clawback.cli.exits import ExitCode, Failure


def read_reviewed_file(option: str, path: Path, *, may_be_missing: bool) -> Reviewed:
    """Read the reviewed matches; `option` is what the user gave the file with.

    Raises:
        Failure: it cannot be read, or is something else.

    """
    try:
        with path.open(encoding="utf-8") as lines:
            return read_reviewed(lines)
    except FileNotFoundError:
        if may_be_missing and path.resolve().parent.is_dir():
            return {}
        raise Failure(f"{option} {path}: no such file", ExitCode.USAGE) from None
    except OSError as error:
        raise Failure(f"{option} {path}: {error.strerror}", ExitCode.USAGE) from None
    except UnicodeDecodeError:
        raise Failure(f"{option} {path}: not UTF-8 text", ExitCode.USAGE) from None
    except NotReviewed as error:
        raise Failure(f"{option} {path}: {error}", ExitCode.USAGE) from None


def accept_matches(path: Path, reviewed: Reviewed, new: Iterable[ListedMatch]) -> None:
    """Add matches to the file; it is replaced as a whole, so that nothing is lost half-way.

    Raises:
        Failure: it cannot be written.

    """
    whole = path.with_name(f".{path.name}.new")
    try:
        with whole.open("w", encoding="utf-8") as file:
            file.writelines(write_reviewed(reviewed, new))
        whole.replace(path)
    except OSError as error:
        whole.unlink(missing_ok=True)
        raise Failure(f"--accept {path}: {error.strerror}", ExitCode.USAGE) from None
