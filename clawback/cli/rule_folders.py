"""Finds and loads rules for commands: a folder, a file in one, a rule by name."""

import os
from dataclasses import replace
from pathlib import Path

from clawback.cli.exits import ExitCode, Failure
from clawback.model.suggestions import did_you_mean
from clawback.rules import Problem, RuleErrors, RuleSet, load_rules
from clawback.rules.source.safety_file import SAFETY
from clawback.settings import load_settings


def find_folder(path: Path | None) -> tuple[Path, str | None]:
    """Return the folder of rules that a path means, and the file in it if the path is a file.

    The folder is relative to the current directory if it is below it, the file to the folder, as in
    `Rule.path`. Without a path: CLAWBACK_RULES.

    Raises:
        Failure: the path does not exist, or is in no folder of rules.

    """
    where = path or load_settings().rules
    if not where.exists():
        raise Failure(f"{where}: no such file or folder; name a folder of rules", ExitCode.USAGE)
    if where.is_dir():
        return _relative(where), None

    # By its own name first: Kubernetes mounts each file as a link to another folder.
    for file in (Path(os.path.normpath(where.absolute())), where.resolve()):
        folder = enclosing_folder(file)
        if folder is not None and file.is_relative_to(folder):
            return _relative(folder), file.relative_to(folder).as_posix()

    raise Failure(
        f"{where}: not in a folder of rules: no folder above it has a {SAFETY}, nor is it below "
        "CLAWBACK_RULES with CLAWBACK_SAFETY set",
        ExitCode.USAGE,
    )


def _relative(folder: Path) -> Path:
    whole, here = folder.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else folder


def shown_path(folder: Path, file: str) -> str:
    """Write the path of a file of a folder as every command does: from the current directory."""
    # The folder itself is named where it does not exist.
    return file if Path(file) == folder else str(folder / file)


def enclosing_folder(path: Path) -> Path | None:
    """Return the folder of rules that a path is or is in; None if it is in none.

    It has a safety document, or is that of the settings and has its safety document elsewhere.
    """
    places = (path, *path.parents, *path.resolve().parents)
    found = next((one for one in places if (one / SAFETY).exists()), None)
    settings = load_settings()
    if found is None and settings.safety is not None:
        rules = settings.rules.resolve()
        return rules if path.resolve().is_relative_to(rules) else None
    return found


def load_folder(folder: Path, *, is_old: bool = False) -> RuleSet:
    """Load a folder of rules, with the safety document of the settings if they name one.

    An old version of a folder may still hold a safety document of its own, which then applies.

    Raises:
        Failure: it has errors; the message lists them.

    """
    safety = load_settings().safety
    if is_old and (folder / SAFETY).exists():
        safety = None

    try:
        return load_rules(folder, safety)
    except RuleErrors as error:
        lines = (str(_located(folder, problem)) for problem in error.problems)
        text = "\n".join([f"cannot load the rules in {folder}:", *lines])
        raise Failure(text, ExitCode.NO) from error


def _located(folder: Path, problem: Problem) -> Problem:
    file = shown_path(folder, problem.place.file)
    return replace(problem, place=problem.place._replace(file=file))


def unknown_rule(name: str, rules: RuleSet) -> Failure:
    """Build the error for a rule that does not exist, with the nearest name."""
    return Failure(f"there is no rule {name!r}; {did_you_mean(name, rules.rules)}", ExitCode.USAGE)
