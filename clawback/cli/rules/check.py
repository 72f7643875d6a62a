"""`clawback rules check`: the problems of folders of rules, for people, programs and reviews."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from clawback.app_files import describe_rules
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.rule_folders import find_folder, shown_path
from clawback.model.texts import plural, printable
from clawback.rules import Problem, RuleSet
from clawback.rules.engine.builder import build_set
from clawback.rules.lint.lacking_folders import describe_lacking
from clawback.rules.lint.pure_sigma import find_own_sigma
from clawback.rules.lint.review import review_rules, utc_today
from clawback.rules.loader import read_folder
from clawback.rules.source.errors import Code, Severity
from clawback.rules.source.rule_files import read_rule_file
from clawback.settings import load_settings

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Folders of rules; a file stands for its folder. Default CLAWBACK_RULES.",
        show_default=False,
    ),
]


class Format(StrEnum):
    """The output formats."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Checked:
    """One folder, its problems, and its rules if they can be loaded.

    `elsewhere` says which of its moves go to another folder at the providers of the settings.
    """

    folder: Path
    problems: tuple[Problem, ...]
    rules: RuleSet | None
    elsewhere: tuple[str, ...] = ()

    def path_of(self, problem: Problem) -> str:
        """Return the path of the file of a problem, from the current directory."""
        return shown_path(self.folder, problem.place.file)

    def without(self, code: Code) -> "Checked":
        """Give the same without the problems of one kind."""
        kept = tuple(problem for problem in self.problems if problem.code is not code)
        return replace(self, problems=kept)

    def count(self, severity: Severity) -> int:
        """Count the problems of one severity."""
        return sum(problem.severity is severity for problem in self.problems)


def check(  # noqa: PLR0913 - the options of a command
    paths: Paths = None,
    *,
    form: Annotated[
        Format,
        typer.Option(
            "--format", help="Output format; github prints annotations for a pull request."
        ),
    ] = Format.TEXT,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    allow_unknown_values: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-values",
            help="Do not warn of values that the API is not known to have, such as a new verdict.",
        ),
    ] = False,
    pure_sigma: Annotated[
        bool,
        typer.Option(
            "--pure-sigma", help="Also warn of what other Sigma tools cannot read, or ignore."
        ),
    ] = False,
) -> int:
    """Load rules as the worker does and report every problem.

    Errors are rules that the worker refuses, or that can never act as written. Warnings need a
    review.

    Exit code 0: no errors. 1: errors, or with --strict warnings. 2: no such folder or file.
    """
    folders = dict.fromkeys(find_folder(path)[0] for path in paths or (None,))
    checked = [check_folder(folder, is_pure=pure_sigma) for folder in folders]
    if allow_unknown_values:
        checked = [one.without(Code.UNKNOWN_VALUE) for one in checked]
    _write(checked, Format.JSON if as_json else form, strict=strict)
    return ExitCode.OK if _is_good(checked, strict=strict) else ExitCode.NO


def check_folder(folder: Path, *, is_pure: bool = False) -> Checked:
    """Read a folder and find its problems; with `is_pure` also what is not Sigma."""
    settings = load_settings()
    loaded = read_folder(folder, settings.safety)
    problems = review_rules(loaded)
    if is_pure:
        problems = tuple(sorted({*problems, *find_own_sigma(loaded)}))
    if len(loaded.problems):
        return Checked(folder, problems, None)
    rules = build_set(loaded, utc_today)
    return Checked(folder, problems, rules, tuple(describe_lacking(rules, settings.providers)))


def _is_good(checked: list[Checked], *, strict: bool) -> bool:
    return not any(
        one.count(Severity.ERROR) or (strict and one.count(Severity.WARNING)) for one in checked
    )


def _write(checked: list[Checked], form: Format, *, strict: bool) -> None:
    if form is Format.JSON:
        problems = [_fields(one, problem) for one in checked for problem in one.problems]
        print_json(
            {
                "good": _is_good(checked, strict=strict),
                "problems": problems,
                "folders": [_folder(one) for one in checked],
            }
        )
        return

    show = (
        _annotate
        if form is Format.GITHUB
        else TerminalPrinter()
        if sys.stdout.isatty()
        else _print_problem
    )
    for one in checked:
        for problem in one.problems:
            show(one, problem)
        print_text(_summary(one))
        for elsewhere in one.elsewhere:
            print_text(elsewhere)


def _fields(one: Checked, problem: Problem) -> dict[str, Any]:
    texts = {
        "code": problem.code,
        "message": problem.message,
        "text": problem.text,
        "remedy": problem.remedy,
    }
    return {
        "severity": problem.severity,
        "path": one.path_of(problem),
        **problem.place._asdict(),
        **texts,
    }


def _folder(one: Checked) -> dict[str, Any]:
    counts = {f"{severity}s": one.count(severity) for severity in Severity}
    content = _content(one.rules) if one.rules else {}
    return {"folder": one.folder, **counts, **content, "elsewhere": one.elsewhere}


def _content(rules: RuleSet) -> dict[str, Any]:
    return {
        "rules": len(rules.rules),
        "responding": rules.responding,
        "exceptions": len(rules.filters),
        "version": rules.version,
    }


def _summary(one: Checked) -> str:
    found = [plural(one.count(severity), severity) for severity in Severity if one.count(severity)]
    if one.rules is None or one.count(Severity.ERROR):
        return f"{describe_rules(one.folder)} is not good: {' and '.join(found)}"

    content = _content(one.rules)
    counts = (
        f"{plural(content['rules'], 'rule')}, {content['responding']} with a response, "
        f"{plural(content['exceptions'], 'exception')}"
    )
    return f"{describe_rules(one.folder)} is good: {counts}; version {content['version']}" + (
        f"; {found[0]}" if found else ""
    )


# ---- one problem


def _print_problem(one: Checked, problem: Problem) -> None:
    at = f"{one.path_of(problem)}:{problem.place.line}:{problem.place.column}"
    print_text(f"{at}: {problem.severity}: {problem.code}: {_describe(problem)}")


def _describe(problem: Problem) -> str:
    text = f"{problem.text!r} " if problem.text else ""
    return f"{text}{problem.message}" + (f"; {problem.remedy}" if problem.remedy else "")


def _annotate(one: Checked, problem: Problem) -> None:
    where = {
        "file": one.path_of(problem),
        "line": problem.place.line,
        "col": problem.place.column,
        "title": problem.code,
    }
    properties = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in where.items())
    print_text(f"::{problem.severity} {properties}::{_escaped(_describe(problem))}")


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(one):02X}" if one in f"%\r\n{more}" else one for one in text)


class TerminalPrinter:
    """Prints problems on a terminal: the line, a mark under the place, the problem, the remedy."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def __call__(self, one: Checked, problem: Problem) -> None:
        path = one.path_of(problem)
        colour = "red" if problem.severity is Severity.ERROR else "yellow"
        at = f"{path}:{problem.place.line}:{problem.place.column}"
        self._console.print(
            Text.assemble(
                (at, "bold"), "  ", (problem.severity, colour), "  ", (problem.code, "dim")
            )
        )

        for line in self._source(one.folder, problem):
            self._console.print(line)

        self._console.print(
            Text(f"  {f'{problem.text!r}: ' if problem.text else ''}{problem.message}")
        )
        if problem.remedy:
            self._console.print(Text.assemble("  ", ("→ ", "green"), problem.remedy))

        self._console.print()

    def _source(self, folder: Path, problem: Problem) -> Iterator[Text]:
        lines = _lines_of(folder, problem.place.file)
        if problem.place.line <= len(lines):
            line = lines[problem.place.line - 1]
            start = max(0, problem.place.column - self._console.width // 2)
            shown = line[start : start + self._console.width - 6]
            yield Text(f"  │ {shown}", style="dim")
            yield Text.assemble(
                ("  │ ", "dim"), " " * (problem.place.column - 1 - start), ("^", "bold red")
            )


@lru_cache(maxsize=16)
def _lines_of(folder: Path, file: str) -> list[str]:
    try:
        text = read_rule_file(folder, file).decode("utf-8", "replace")
    except OSError:
        return []
    return [printable(line, replacement="\N{WHITE SQUARE}") for line in text.splitlines()]
