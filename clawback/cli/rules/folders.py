"""How commands find and load rules.

A folder, a file in one, a rule by name; and what they say when there is none.
"""

from pathlib import Path

from clawback.cli.exits import ExitCode, Failure
from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.rules.loader import SAFETY
from clawback.rules.source.errors import did_you_mean
from clawback.settings import load_settings


def folder_of(path: Path | None) -> tuple[Path, str | None]:
    """Give the folder of rules that a path means, and the file in it (as `Rule.path` has it) where the path is a file.

    Raises:
        Failure: there is nothing there, or the file is in no folder of rules.

    """
    where = path or load_settings().rules
    if not where.exists():
        raise Failure(
            f"{where}: there is no such folder or file; name the folder of rules", ExitCode.USAGE
        )
    if where.is_dir():
        return where, None
    file = where.resolve()
    for folder in file.parents:
        if (folder / SAFETY).exists():
            return folder, file.relative_to(folder).as_posix()
    raise Failure(
        f"{where}: no folder above it is one of rules: none has a {SAFETY}", ExitCode.USAGE
    )


def load_folder(folder: Path) -> RuleSet:
    """Load a folder.

    Raises:
        Failure: it has problems; all of them are in its text.

    """
    try:
        return load_rules(folder)
    except RuleErrors as error:
        raise Failure(f"the rules in {folder} cannot be used:\n{error}", ExitCode.NO) from error


def unknown_rule(name: str, rules: RuleSet) -> Failure:
    """Say that there is no such rule, and which one was probably meant."""
    return Failure(f"there is no rule {name!r}; {did_you_mean(name, rules.rules)}", ExitCode.USAGE)
