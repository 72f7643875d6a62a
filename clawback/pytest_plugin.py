"""Shows every test that a rule carries as one test of pytest: `pytest rules/`.

Only YAML files in a folder of rules (one with a `safety.yml` at its top) that carry tests are
collected; nothing of clawback is imported before the first of them. It lives outside
`clawback.rules` because importing that package loads the whole engine.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clawback.rules import Rule, RuleErrors, RuleSet
    from clawback.rules.tools.testing import RuleTestResult

_SUFFIXES = frozenset({".yml", ".yaml"})
_SAFETY = "safety.yml"
_LOADED = pytest.StashKey[dict[Path, "RuleSet | RuleErrors"]]()


class RuleTestFailed(Exception):
    """A test of a rule whose outcome is not what it expects."""

    def __init__(self, trial: "RuleTestResult") -> None:
        super().__init__(
            f"{trial.rule}: {trial.name!r} expected {trial.expected}, found {trial.found}"
        )
        self.trial = trial


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "RuleFile | None":
    """Take a YAML file that looks like rules with tests; leave any other alone."""
    if (
        file_path.suffix not in _SUFFIXES
        or (folder := _folder_of(file_path, parent.config.rootpath)) is None
    ):
        return None
    return (
        RuleFile.from_parent(parent, path=file_path) if _carries_tests(file_path, folder) else None
    )


class RuleFile(pytest.File):
    """One file of rules."""

    def collect(self) -> Iterable["RuleTest"]:
        """Load the folder once for all its files, and give the tests of the rules in this one.

        Raises:
            CollectError: the folder cannot be loaded; all its problems are in the text.

        """
        rules = self._rules()
        for rule in rules.rules.values():
            if self._holds(rule):
                for number, test in enumerate(rule.tests):
                    yield RuleTest.from_parent(
                        self,
                        name=f"{rule.name}: {test.name}",
                        rules=rules,
                        rule=rule,
                        number=number,
                    )

    def _rules(self) -> "RuleSet":
        from clawback.rules import RuleErrors, load_rules  # noqa: PLC0415 - other projects must not pay for it

        folder = self._folder()
        loaded = self.config.stash.setdefault(_LOADED, {})
        if folder not in loaded:
            try:
                loaded[folder] = load_rules(folder)
            except RuleErrors as error:
                loaded[folder] = error
        found = loaded[folder]
        if isinstance(found, RuleErrors):
            raise self.CollectError(_said(found, self.path.relative_to(folder).as_posix()))
        return found

    def _holds(self, rule: "Rule") -> bool:
        return rule.path == self.path.relative_to(self._folder()).as_posix()

    def _folder(self) -> Path:
        folder = _folder_of(self.path, self.config.rootpath)
        if folder is None:
            raise self.CollectError(f"{self.path} is no longer in a folder of rules")
        return folder


class RuleTest(pytest.Item):
    """One test that a rule carries."""

    def __init__(self, *, rules: "RuleSet", rule: "Rule", number: int, **given: Any) -> None:
        super().__init__(**given)
        self._rules = rules
        self._rule = rule
        self._number = number

    def runtest(self) -> None:
        """Run it on the engine that evaluates mail.

        Raises:
            RuleTestFailed: the outcome is not what it expects.

        """
        from clawback.rules.tools.testing import run_test  # noqa: PLC0415 - other projects must not pay for it

        trial = run_test(self._rules, self._rule, self._number)
        if not trial.passed:
            raise RuleTestFailed(trial)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: object = None,  # noqa: ARG002 - the base class gives it
    ) -> str:
        """Show the condition as it came out instead of a traceback of ours."""
        if isinstance(excinfo.value, RuleTestFailed):
            from clawback.cli.rules.test_rules import failure_lines  # noqa: PLC0415 - other projects must not pay for it

            return "\n".join(line.plain for line in failure_lines(excinfo.value.trial))
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test is: file, line counted from 0, name."""
        return self.path, self._rule.test_lines[self._number] - 1, self.name


def _folder_of(file: Path, root: Path) -> Path | None:
    """Give the nearest folder above a file that has a `safety.yml`, up to pytest's own root (or the top where it lies elsewhere)."""
    for folder in file.parents:
        if (folder / _SAFETY).is_file():
            return folder
        if folder == root:
            return None
    return None


def _said(errors: "RuleErrors", file: str) -> str:
    """Give the problems of one file, or say where they are.

    A set with any problem is not used at all.
    """
    own = [str(problem) for problem in errors.problems if problem.place.file == file]
    elsewhere = dict.fromkeys(problem.place.file for problem in errors.problems)
    return "\n".join(own) or f"the rules are not used because of problems in {', '.join(elsewhere)}"


def _carries_tests(file: Path, folder: Path) -> bool:
    if file.relative_to(folder).parts[0] in {"lists", "exceptions", _SAFETY}:
        return False
    try:
        text = file.read_bytes()
    except OSError:
        return False
    return b"\ntests:" in text and (b"email_security" in text or b"\ncorrelation:" in text)
