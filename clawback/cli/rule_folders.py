"""Finds and loads rules for commands: a folder, a file in one, a rule by name."""

from pathlib import Path

from clawback.cli.exits import ExitCode, Failure
from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.rules.loader import SAFETY
from clawback.rules.source.errors import did_you_mean
from clawback.settings import load_settings


def find_folder(path: Path | None) -> tuple[Path, str | None]:
    """Return the folder of rules that a path means, and the file in it if the path is a file.

    The file is relative to the folder, as in `Rule.path`. Without a path: CLAWBACK_RULES.

    Raises:
        Failure: the path does not exist, or is in no folder of rules.

    """
    where = path or load_settings().rules
    if not where.exists():
        raise Failure(f"{where}: no such file or folder; name a folder of rules", ExitCode.USAGE)
    if where.is_dir():
        return where, None

    file = where.resolve()
    for folder in file.parents:
        if (folder / SAFETY).exists():
            return folder, file.relative_to(folder).as_posix()

    raise Failure(
        f"{where}: not in a folder of rules: no folder above it has a {SAFETY}", ExitCode.USAGE
    )


def load_folder(folder: Path) -> RuleSet:
    """Load a folder of rules.

    Raises:
        Failure: it has errors; the message lists them.

    """
    try:
        return load_rules(folder)
    except RuleErrors as error:
        raise Failure(f"cannot load the rules in {folder}:\n{error}", ExitCode.NO) from error


def unknown_rule(name: str, rules: RuleSet) -> Failure:
    """Build the error for a rule that does not exist, with the nearest name."""
    return Failure(f"there is no rule {name!r}; {did_you_mean(name, rules.rules)}", ExitCode.USAGE)
