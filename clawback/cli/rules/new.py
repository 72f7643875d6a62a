"""`clawback rules new`: scaffold a rule from an event."""

import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_text
from clawback.cli.rule_folders import enclosing_folder
from clawback.cli.rules.event_files import read_events
from clawback.model.events import Event, EventKind
from clawback.rules import RuleErrors, load_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.loaded import Loaded
from clawback.rules.tools.scaffold import Draft, NothingDistinctive, scaffold, suggest_name
from clawback.rules.tools.schema import FILE_NAME
from clawback.rules.tools.testing import run_tests
from clawback.settings import load_settings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STDOUT = "-"


def new(
    *,
    event: Annotated[
        str,
        typer.Option(
            "--event",
            help="File with the event: a corpus line or an API record; - is stdin.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the rule; default derived from the event.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            help="Folder to write to, - for stdout; default CLAWBACK_RULES.",
            show_default=False,
        ),
    ] = None,
    line: Annotated[
        int, typer.Option("--line", min=1, help="Number of the event in the file, from 1.")
    ] = 1,
) -> int:
    """Write a rule in shadow mode, with tests, from an event.

    It asks for the distinctive fields of the event.

    Exit code 2 if there is no such event, it has no distinctive field, or the file exists: nothing
    is overwritten.
    """
    source = _one_event(event, line)
    folder = Path(out) if out not in (None, _STDOUT) else load_settings().rules
    root = enclosing_folder(folder)
    there = read_folder(root, load_settings().safety) if root is not None else None
    chosen = _name_of(source, name, folder, there)
    text = _render(source, chosen, folder, root, there)
    if out == _STDOUT:
        sys.stdout.write(text)
        return ExitCode.OK

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{chosen}.yml"
    path.write_text(text, encoding="utf-8")
    print_text(f"wrote {path}")
    print_text(_next_steps(path, root, chosen, there))

    return ExitCode.OK


def _one_event(file: str, number: int) -> Event:
    events = read_events([file], list(EventKind), datetime.now(UTC))
    if number > len(events):
        where = "stdin" if file == _STDOUT else file
        raise Failure(f"{where} has {len(events)} events, no number {number}", ExitCode.USAGE)
    return events[number - 1]


def _name_of(event: Event, name: str | None, folder: Path, there: Loaded | None) -> str:
    taken = (
        {rule.read.name: rule.document.file for rule in there.rules} if there is not None else {}
    )
    if name is None:
        suggested = suggest_name(event)
        numbered = (
            suggested if number == 1 else f"{suggested}_{number}" for number in range(1, 10_000)
        )
        return next(
            one for one in numbered if one not in taken and not (folder / f"{one}.yml").exists()
        )

    if not _NAME.fullmatch(name):
        raise Failure(
            f"{name!r} is not a rule name: use lower-case letters, digits and _, at most 64",
            ExitCode.USAGE,
        )
    if name in taken or (folder / f"{name}.yml").exists():
        raise Failure(
            f"the rule {name!r} exists in {taken.get(name, f'{name}.yml')}; choose another name",
            ExitCode.USAGE,
        )

    return name


def _render(event: Event, name: str, folder: Path, root: Path | None, there: Loaded | None) -> str:
    schema = ""
    if root is not None and (root / FILE_NAME).exists():
        schema = Path(os.path.relpath(root / FILE_NAME, folder)).as_posix()
        schema = schema if schema.startswith(".") else f"./{schema}"

    shared: Sequence[str] = there.safety.never_block.domains if there is not None else ()
    try:
        return scaffold(event, Draft(name, uuid4(), datetime.now(UTC).date(), schema), shared)
    except NothingDistinctive as error:
        raise Failure(str(error), ExitCode.USAGE) from None


def _next_steps(path: Path, root: Path | None, name: str, there: Loaded | None) -> str:
    """Describe how the rule does among the others, and the next steps."""
    if root is None or there is None or len(there.problems):
        return f"next: move it to a folder of rules and run clawback rules check {path}"

    try:
        results = run_tests(load_rules(root, load_settings().safety), [name])
    except RuleErrors as error:
        return "with the other rules it has problems:\n" + "\n".join(
            str(problem) for problem in error.problems
        )

    passed = sum(result.passed for result in results)
    return (
        f"{passed} of its {len(results)} tests pass with the other rules; next: edit title and "
        f"description, then run clawback rules check {path} and clawback rules test {path}"
    )
