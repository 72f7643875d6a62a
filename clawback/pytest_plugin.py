"""Runs every test in a rule file as one test of pytest: `pytest rules/`.

It collects YAML files with tests in a folder of rules: one with a `safety.yml` at its top, or that
of `CLAWBACK_RULES` (by default `rules`) if `CLAWBACK_SAFETY` is set. Nothing else of clawback is
imported before the first of them: the plugin is active in every project of the environment. It is
outside of `clawback.rules` because importing that package loads the engine.
"""

import os
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
    """A test of a rule had an unexpected result."""

    def __init__(self, result: "RuleTestResult") -> None:
        super().__init__(
            f"{result.rule}: {result.name!r} expected {result.expected}, found {result.found}"
        )
        self.result = result


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "RuleFile | None":
    """Collect a YAML file that looks like a rule file with tests."""
    if (
        file_path.suffix.lower() not in _SUFFIXES
        or (folder := _folder_of(file_path, parent.config.rootpath)) is None
    ):
        return None

    return (
        RuleFile.from_parent(parent, path=file_path) if _carries_tests(file_path, folder) else None
    )


class RuleFile(pytest.File):
    """One rule file."""

    def collect(self) -> Iterable["RuleTest"]:
        """Load the folder once for all its files, and yield the tests of this file.

        Raises:
            CollectError: the folder cannot be loaded; the message lists its problems.

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
        from clawback.rules import RuleErrors, load_rules

        folder = self._folder()
        loaded = self.config.stash.setdefault(_LOADED, {})
        if folder not in loaded:
            try:
                loaded[folder] = load_rules(folder, _outside_safety())
            except RuleErrors as error:
                loaded[folder] = error

        found = loaded[folder]
        if isinstance(found, RuleErrors):
            raise self.CollectError(_describe(found, self.path.relative_to(folder).as_posix()))

        return found

    def _holds(self, rule: "Rule") -> bool:
        return rule.path == self.path.relative_to(self._folder()).as_posix()

    def _folder(self) -> Path:
        folder = _folder_of(self.path, self.config.rootpath)
        if folder is None:
            raise self.CollectError(f"{self.path} is no longer in a folder of rules")
        return folder


class RuleTest(pytest.Item):
    """One test of a rule."""

    def __init__(self, *, rules: "RuleSet", rule: "Rule", number: int, **given: Any) -> None:
        super().__init__(**given)
        self._rules = rules
        self._rule = rule
        self._number = number

    def runtest(self) -> None:
        """Run the test on the engine that evaluates mail.

        Raises:
            RuleTestFailed: the result is not the expected one.

        """
        from clawback.rules.tools.testing import run_test

        result = run_test(self._rules, self._rule, self._number)
        if not result.passed:
            raise RuleTestFailed(result)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: object = None,  # noqa: ARG002 - the base class gives it
    ) -> str:
        """Show the condition with its answers instead of a traceback."""
        if isinstance(excinfo.value, RuleTestFailed):
            from clawback.cli.rules.test_rules import failure_lines

            return "\n".join(line.plain for line in failure_lines(excinfo.value.result))
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the test is: file, line counted from 0, name."""
        return self.path, self._rule.test_lines[self._number] - 1, self.name


def _folder_of(file: Path, root: Path) -> Path | None:
    """Return the folder of rules that a file is in, searched up to the root of pytest."""
    named = None
    if _outside_safety() is not None:
        named = Path(os.environ.get("CLAWBACK_RULES") or root / "rules").resolve()

    for folder in file.parents:
        if folder == named or (folder / _SAFETY).is_file():
            return folder
        if folder == root:
            return None
    return None


def _outside_safety() -> Path | None:
    """Return the safety document if it is not in the folder of rules."""
    file = os.environ.get("CLAWBACK_SAFETY")
    return Path(file) if file else None


def _describe(errors: "RuleErrors", file: str) -> str:
    """Return the problems of one file, or name the files that have problems.

    A set with a problem in any file is not used.
    """
    own = [str(problem) for problem in errors.problems if problem.place.file == file]
    elsewhere = dict.fromkeys(problem.place.file for problem in errors.problems)
    return "\n".join(own) or f"cannot load the rules because of problems in {', '.join(elsewhere)}"


def _carries_tests(file: Path, folder: Path) -> bool:
    if file.relative_to(folder).parts[0] in {"lists", "exceptions", _SAFETY}:
        return False
    # Nothing outside of the folder is read through a link; `rules check` reports it. A pipe blocks.
    if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
        return False

    try:
        text = file.read_bytes()
    except OSError:
        return False

    # A look at the bytes: most YAML files of a project are not ours and need no parser.
    return b"\ntests:" in text and (b"email_security" in text or b"\ncorrelation:" in text)
