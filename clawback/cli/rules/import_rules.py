"""`clawback rules import`: take plain Sigma rules on e-mail from other collections."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.rule_folders import enclosing_folder
from clawback.model.texts import bounded, plural, printable
from clawback.rules import RuleErrors, load_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.safety_file import SAFETY
from clawback.rules.source.sigma_import import ForeignRule, NotSigma, read_foreign_rules
from clawback.rules.tools.rule_writer import RESPONSE, make_tests, write_document
from clawback.settings import load_settings

_LONGEST = 300


@dataclass(slots=True)
class _Import:
    """What became of one rule of a file; `path` is where it was written."""

    file: Path
    rule: ForeignRule
    path: Path | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def refused(self) -> list[str]:
        return [bounded(printable(one), _LONGEST) for one in self.rule.refused]


def import_rules(
    files: Annotated[list[Path], typer.Argument(help="Files of Sigma rules, or folders of them.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; default CLAWBACK_RULES.", show_default=False),
    ] = None,
    respond: Annotated[
        bool, typer.Option("--respond", help="Give the rules a response, in shadow mode.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; only report what applies.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Import plain Sigma rules on e-mail, and report what applies.

    Fields get the names that they have here. A rule on other events, with a field that has no
    counterpart or with anything that clawback cannot evaluate is refused with the reasons. The
    others become experimental building blocks, which respond to nothing. Nothing is overwritten.

    Exit code 0: every rule was imported. 1: some were refused. 2: usage error.
    """
    folder = out or load_settings().rules
    root = enclosing_folder(folder)
    there = read_folder(root, load_settings().safety) if root is not None else None
    taken = {rule.read.name for rule in there.rules} if there is not None else set[str]()
    found = [_Import(file, rule) for file in _files(files) for rule in _read(file)]
    for one in found:
        if not one.rule.refused:
            _check(one, taken, folder, respond=respond)
        if not one.rule.refused and not dry_run:
            _write(one)

    if as_json:
        print_json([_data(one) for one in found])
    else:
        for one in found:
            print_text("\n".join(_lines(one)))
        taken_over = sum(not one.rule.refused for one in found)
        verb = "can be imported" if dry_run else "imported"
        print_text(f"{taken_over:,} of {plural(len(found), 'rule')} {verb}")
    return ExitCode.NO if any(one.rule.refused for one in found) else ExitCode.OK


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                one for one in path.rglob("*") if one.suffix.lower() in {".yml", ".yaml"}
            )
        else:
            yield path


def _read(file: Path) -> list[ForeignRule]:
    try:
        return read_foreign_rules(file.read_bytes())
    except NotSigma as error:
        return [ForeignRule("(not read)", refused=[str(error)])]
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", ExitCode.USAGE) from None


def _check(one: _Import, taken: set[str], folder: Path, *, respond: bool) -> None:
    """Load the rule by itself; refuse what the loader refuses."""
    document = one.rule.document
    suggested = document["name"]
    names = (suggested if number == 1 else f"{suggested}_{number}" for number in range(1, 10_000))
    name = document["name"] = next(
        name for name in names if name not in taken and not (folder / f"{name}.yml").exists()
    )
    with tempfile.TemporaryDirectory(prefix="clawback-import-") as temporary:
        file = Path(temporary) / f"{name}.yml"
        (Path(temporary) / SAFETY).write_text("{}\n")
        try:
            file.write_text(write_document(document), encoding="utf-8")
            rules = load_rules(Path(temporary))
            if respond:
                tests = make_tests(rules, name, document["detection"])
                _respond(one, tests)
                file.write_text(write_document(document), encoding="utf-8")
                load_rules(Path(temporary))
        except RuleErrors as error:
            one.rule.refused += [_describe(problem) for problem in error.problems]
            return

    taken.add(name)
    one.path = folder / f"{name}.yml"


def _describe(problem: object) -> str:
    """A problem without its place, which is in a file that nobody has."""
    return str(problem).split(": ", 1)[-1]


def _respond(one: _Import, tests: list[dict[str, Any]]) -> None:
    if not tests:
        one.remarks.append("no response: no event made of its values matches; write its tests")
        return
    one.rule.document |= {"id": str(uuid4()), "response": RESPONSE, "tests": tests}


def _write(one: _Import) -> None:
    if one.path is None:
        return
    try:
        one.path.parent.mkdir(parents=True, exist_ok=True)
        with one.path.open("x", encoding="utf-8") as file:
            file.write(write_document(one.rule.document))
    except OSError as error:
        raise Failure(f"{one.path}: {error.strerror}", ExitCode.USAGE) from None


def _lines(one: _Import) -> Iterator[str]:
    title = bounded(printable(one.rule.title), _LONGEST)
    if one.rule.refused:
        yield f"refused   {one.file}: {title}"
        yield from (f"  {reason}" for reason in one.refused)
        return

    yield f"imported  {one.file}: {title} → {one.path}"
    if one.rule.renamed:
        renamed = ", ".join(f"{old} → {new}" for old, new in one.rule.renamed.items())
        yield f"  fields: {bounded(printable(renamed), _LONGEST)}"
    if one.rule.left_out:
        yield f"  left out: {bounded(printable(', '.join(one.rule.left_out)), _LONGEST)}"
    yield from (f"  {remark}" for remark in one.remarks)


def _data(one: _Import) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "title": one.rule.title,
        "imported": not one.rule.refused,
        "path": str(one.path) if one.path is not None and not one.rule.refused else None,
        "fields": one.rule.renamed,
        "left_out": one.rule.left_out,
        "remarks": one.remarks,
        "refused": one.refused,
    }
