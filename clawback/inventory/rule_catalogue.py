"""Everything that people are shown of a folder of rules: list, source, tests, coverage."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from clawback.inventory.rule_list import ListedRule, list_loaded
from clawback.model.mode import Mode
from clawback.rules import Rule, RuleErrors, RuleSet, load_rules
from clawback.rules.tools.coverage import Coverage, measure_coverage
from clawback.rules.tools.rule_facts import RuleFacts
from clawback.rules.tools.testing import RuleTestResult, run_tests

_SEPARATOR: Final = re.compile(r"---(\s|$)")
_MOST_LINES: Final = 2_000


class CataloguedTest(BaseModel):
    """One test of a rule, and how it ended."""

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool
    expected: str
    found: str
    line: int


class CataloguedRule(BaseModel):
    """One rule. `source` is its document, which starts at `listed.line` of its file.

    `coverage` is the share of outcomes that tests give the parts of its condition, from 0 to 1;
    None for a rule without a condition. `gaps` says in words what no test covers.
    """

    model_config = ConfigDict(frozen=True)

    listed: ListedRule
    description: str
    author: str
    tags: tuple[str, ...]
    references: tuple[str, ...]
    falsepositives: tuple[str, ...]
    exceptions: tuple[str, ...]
    group_by: tuple[str, ...]
    does: tuple[str, ...]
    limits: tuple[str, ...]
    tests: tuple[CataloguedTest, ...]
    coverage: float | None
    gaps: tuple[str, ...]
    source: tuple[str, ...]

    @property
    def failed(self) -> int:
        """How many tests fail."""
        return sum(not test.passed for test in self.tests)


class RuleCatalogue(BaseModel):
    """A folder of rules; `problem` says why it cannot be loaded, and then there are no rules.

    `facts` are what the files of cases tell of the rules.
    """

    model_config = ConfigDict(frozen=True)

    version: str = ""
    ceiling: Mode = Mode.SHADOW
    rules: tuple[CataloguedRule, ...] = ()
    facts: RuleFacts = RuleFacts()
    problem: str = ""

    def find(self, name: str) -> CataloguedRule | None:
        """Find a rule by its name."""
        return next((rule for rule in self.rules if rule.listed.name == name), None)


def read_catalogue(folder: Path, safety: Path | None, ceiling: Mode) -> RuleCatalogue:
    """Load a folder, run its tests and measure their coverage: seconds of computing."""
    try:
        rules = load_rules(folder, safety)
    except RuleErrors as error:
        return RuleCatalogue(ceiling=ceiling, problem=str(error))

    listed = list_loaded(rules, ceiling, {})
    coverage = {one.name: one for one in measure_coverage(rules)}
    tests: dict[str, list[RuleTestResult]] = {}
    for result in run_tests(rules):
        tests.setdefault(result.rule, []).append(result)
    files = _read_files(folder, {rule.path for rule in rules.rules.values()})
    return RuleCatalogue(
        version=rules.version,
        ceiling=ceiling,
        rules=tuple(
            _catalogue(one, rules, tests.get(one.name, ()), coverage.get(one.name), files)
            for one in listed.rules
        ),
        facts=RuleFacts.of(rules),
    )


def _catalogue(
    listed: ListedRule,
    rules: RuleSet,
    tests: Sequence[RuleTestResult],
    coverage: Coverage | None,
    files: Mapping[str, Sequence[str]],
) -> CataloguedRule:
    rule = rules.rules[listed.name]
    response = rule.response
    return CataloguedRule(
        listed=listed,
        description=rule.description,
        author=rule.author,
        tags=rule.tags,
        references=rule.references,
        falsepositives=rule.falsepositives,
        exceptions=rule.exceptions,
        group_by=response.group_by if response else (),
        does=tuple(one.describe_in_full() for one in response.actions) if response else (),
        limits=tuple(map(str, response.limits)) if response else (),
        tests=tuple(
            CataloguedTest(
                name=one.name,
                passed=one.passed,
                expected=one.expected,
                found=one.found,
                line=one.line,
            )
            for one in tests
        ),
        coverage=None if coverage is None else coverage.share,
        gaps=() if coverage is None else coverage.gaps,
        source=_cut_document(rule, files.get(rule.path, ())),
    )


def _read_files(folder: Path, names: set[str]) -> dict[str, list[str]]:
    return {
        name: (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
        for name in names
    }


def _cut_document(rule: Rule, lines: Sequence[str]) -> tuple[str, ...]:
    """Cut the document of a rule out of its file, which may have several."""
    start = max(rule.line - 1, 0)
    rest = lines[start:]
    end = next(
        (number for number, line in enumerate(rest) if number and _SEPARATOR.match(line)),
        len(rest),
    )
    return tuple(rest[: min(end, _MOST_LINES)])
