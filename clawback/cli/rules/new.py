"""`clawback rules new`: scaffold a rule from an event, or from the messages of a case."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import uuid4

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_file, print_status, print_text
from clawback.cli.rule_folders import enclosing_folder
from clawback.cli.rules.event_files import read_events
from clawback.cli.rules.event_reading import messages_of_case, read_by_id, read_messages
from clawback.ingest.single_events import BY_ID
from clawback.model.events import Enrichment, Event, EventKind, message_event
from clawback.model.texts import bounded, printable
from clawback.rules import RuleErrors, load_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.loaded import Loaded
from clawback.rules.tools.clues import NO_VERDICTS, Choice, NothingDistinctive, choose_clues
from clawback.rules.tools.scaffold import Draft, render_clue, scaffold, suggest_name
from clawback.rules.tools.schema import FILE_NAME
from clawback.rules.tools.testing import run_tests
from clawback.settings import load_settings
from clawback.simulator import demo_corpus

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STDOUT = "-"
_FREE_MAIL = "freemail_domains"
_WIDEST = 120


def new(  # noqa: PLR0913 - one parameter for each option
    *,
    event: Annotated[
        str | None,
        typer.Option(
            "--event",
            help="File with the event: a corpus line or an API record; - is stdin.",
        ),
    ] = None,
    api_id: Annotated[
        str | None,
        typer.Option("--id", help="Investigate or submission id, read from the API."),
    ] = None,
    from_case: Annotated[
        str | None,
        typer.Option(help="Case, whose messages the rule is to match: an id, or a prefix of it."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Use the synthetic mail of the demo; see --line.")
    ] = False,
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
    """Write a rule in shadow mode, with tests, from a message or case.

    It asks for the distinctive fields of the event, and says what it leaves out. The event comes
    from a file, from the API of the account or of a demo that runs here, or from the demo mail.

    Exit code 2 if there is no such event, it has no distinctive field, or the file exists: nothing
    is overwritten.
    """
    given = {"--event": event, "--id": api_id, "--from-case": from_case, "--demo": demo or None}
    if len([one for one in given.values() if one is not None]) != 1:
        raise Failure(f"give one of {', '.join(given)}", ExitCode.USAGE)

    events = _read_events(event, api_id, from_case, line)
    folder = Path(out) if out not in (None, _STDOUT) else load_settings().rules
    root = enclosing_folder(folder)
    there = read_folder(root, load_settings().safety) if root is not None else None
    try:
        choice = choose_clues(events, _shared_domains(there))
    except NothingDistinctive as error:
        raise Failure(str(error), ExitCode.USAGE) from None

    chosen = _name_of(suggest_name(events, choice), name, folder, there)
    draft = Draft(chosen, uuid4(), datetime.now(UTC).date(), _schema_for(folder, root))
    text = scaffold(events, choice, draft)
    if out == _STDOUT:
        print_file(text)
        for remark in _describe(choice):
            print_status(remark)
        return ExitCode.OK

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{chosen}.yml"
    path.write_text(text, encoding="utf-8")
    print_text(f"wrote {path}")
    print_text(_next_steps(path, root, chosen, there))
    for remark in _describe(choice):
        print_text(remark)

    return ExitCode.OK


def _read_events(
    file: str | None, api_id: str | None, case: str | None, number: int
) -> list[Event]:
    now = datetime.now(UTC)
    if case is not None:
        events = asyncio.run(read_messages(messages_of_case(case), now))
        if not events:
            raise Failure(f"no message of {case} can be read any more", ExitCode.NO)
        return events
    if api_id is not None:
        detections = {Enrichment.DETECTIONS}
        return asyncio.run(read_by_id([api_id], list(BY_ID), now, wanted=detections))
    if file is not None:
        where = "stdin" if file == _STDOUT else file
        return [_pick(read_events([file], list(EventKind), now), number, where)]

    lines = [line for line in demo_corpus() if "message" in line]
    told = [line for line in lines if line["message"].get("final_disposition") not in NO_VERDICTS]
    line = _pick(told, number, "the demo")
    return [message_event(line["message"], now).with_detections(line.get("detections") or {})]


def _pick(events: Sequence[T], number: int, where: str) -> T:
    if number > len(events):
        raise Failure(f"{where} has {len(events)} events, no number {number}", ExitCode.USAGE)
    return events[number - 1]


def _shared_domains(there: Loaded | None) -> Sequence[str]:
    """Domains that say nothing of a sender: never blocked, or free mail by a list."""
    if there is None:
        return ()
    return (*there.safety.never_block.domains, *there.lists.get(_FREE_MAIL, ()))


def _describe(choice: Choice) -> Iterator[str]:
    """Say what the rule asks for, offers and leaves out."""
    yield "it asks for"
    yield from (f"  {bounded(render_clue(clue), _WIDEST)}" for clue in choice.asked)
    if choice.offered:
        yield "it has as comments, to use instead or besides"
        yield from (f"  {bounded(render_clue(clue), _WIDEST)}" for clue in choice.offered)
    yield "it leaves out"
    yield from (f"  {printable(one)}" for one in choice.left_out)


def _name_of(suggested: str, name: str | None, folder: Path, there: Loaded | None) -> str:
    taken = (
        {rule.read.name: rule.document.file for rule in there.rules} if there is not None else {}
    )
    if name is None:
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


def _schema_for(folder: Path, root: Path | None) -> str:
    """The path from a new file to the JSON Schema of its folder; empty if it has none."""
    if root is None or not (root / FILE_NAME).exists():
        return ""
    schema = Path(os.path.relpath(root / FILE_NAME, folder)).as_posix()
    return schema if schema.startswith(".") else f"./{schema}"


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
