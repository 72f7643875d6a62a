"""`clawback rules fmt`: format rule files, without a change of what they say."""

import difflib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_error, print_json, print_text
from clawback.cli.rule_folders import find_folder
from clawback.model.texts import plural, printable
from clawback.rules.loader import rule_files_of
from clawback.rules.source.rule_files import RULE_SUFFIXES, read_rule_file
from clawback.rules.source.safety_file import SAFETY
from clawback.rules.source.yaml_layout import CannotFormat
from clawback.rules.tools.formatting import format_rule_file

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Folders or files of rules. Default CLAWBACK_RULES.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class _Formatted:
    """One file before and after; `refused` says why it was left as it is."""

    path: Path
    before: bytes = b""
    after: bytes = b""
    refused: str = ""

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


def fmt(
    paths: Paths = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; print what would change.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Format rule files: indentation, gaps and blank lines.

    Comments, quotes and the order of keys stay. A file whose meaning could change is left alone.

    Exit code 0: done. 1: a file was refused or, with --check, is not formatted. 2: no such file.
    """
    found = [_format(folder, name) for folder, name in _files(paths)]
    if not check and not diff:
        for one in found:
            if one.is_changed:
                _write(one)

    changed = [one for one in found if one.is_changed]
    refused = [one for one in found if one.refused]
    if as_json:
        print_json(
            {
                "files": len(found),
                "changed": [str(one.path) for one in changed],
                "refused": {str(one.path): one.refused for one in refused},
            }
        )
    else:
        _print(changed, refused, len(found), diff=diff, is_dry=check or diff)
    return ExitCode.NO if refused or (check and changed) else ExitCode.OK


def _files(paths: list[Path] | None) -> Iterator[tuple[Path, Path]]:
    """Yield the folder and the name of each file, once."""
    files: dict[tuple[Path, Path], None] = {}
    for path in paths or (None,):
        folder, name = find_folder(path)
        safety = [Path(SAFETY)] if (folder / SAFETY).is_file() else []
        for one in [Path(name)] if name is not None else [*safety, *rule_files_of(folder)]:
            if one.suffix.lower() in RULE_SUFFIXES:  # lists may be plain text
                files[folder, one] = None
    yield from files


def _format(folder: Path, name: Path) -> _Formatted:
    path = folder / name
    try:
        raw = read_rule_file(folder, name)
        return _Formatted(path, raw, format_rule_file(str(name), raw))
    except CannotFormat as error:
        return _Formatted(path, refused=str(error))
    except OSError as error:
        return _Formatted(path, refused=error.strerror or str(error))


def _write(one: _Formatted) -> None:
    """Replace a file as a whole, so that it is never half-written."""
    real = one.path.resolve()
    new = real.with_name(f".{real.name}.new")
    try:
        new.write_bytes(one.after)
        shutil.copymode(real, new)
        new.replace(real)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Failure(f"{one.path}: {error.strerror}", ExitCode.USAGE) from None


def _print(
    changed: list[_Formatted], refused: list[_Formatted], total: int, *, diff: bool, is_dry: bool
) -> None:
    for one in changed:
        print_text("\n".join(_diff(one)) if diff else str(one.path))
    for one in refused:
        print_error(f"{one.path}: not formatted: {printable(one.refused)}")

    what = "would change" if is_dry else "formatted"
    print_text(f"{len(changed):,} of {plural(total, 'file')} {what}")


def _diff(one: _Formatted) -> Iterator[str]:
    before, after = (
        [printable(line) for line in raw.decode("utf-8", "replace").splitlines()]
        for raw in (one.before, one.after)
    )
    name = str(one.path)
    yield from difflib.unified_diff(before, after, name, name, lineterm="")
