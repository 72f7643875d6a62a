"""Reads a folder of rules for people: loads it, runs its tests, measures their coverage."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clawback.inventory.loaded_rules import list_loaded
from clawback.inventory.rule_catalogue import CataloguedRule, CataloguedTest, RuleCatalogue
from clawback.inventory.rule_list import ListedRule
from clawback.model.mode import Mode
from clawback.rules import Rule, RuleErrors, RuleSet, load_rules
from clawback.rules.source.safety_file import load_safety
from clawback.rules.tools.coverage import Coverage, measure_coverage
from clawback.rules.tools.rule_facts import RuleFacts, facts_of
from clawback.rules.tools.testing import RuleTestResult, run_tests

_SEPARATOR: Final = re.compile(r"---(\s|$)")
_MOST_LINES: Final = 2_000


def read_catalogue(folder: Path, safety: Path | None, ceiling: Mode) -> RuleCatalogue:
    """Load a folder, run its tests and measure their coverage: seconds of computing."""
    try:
        rules = load_rules(folder, safety)
    except RuleErrors as error:
        facts = _read_safety_alone(folder, safety)
        return RuleCatalogue(ceiling=ceiling, facts=facts, problem=str(error))

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
        facts=facts_of(rules),
    )


def _read_safety_alone(folder: Path, safety: Path | None) -> RuleFacts:
    """Read what the safety document limits: workers take it over from a folder with errors."""
    try:
        read = load_safety(folder, safety)
    except (RuleErrors, OSError):
        return RuleFacts()
    return RuleFacts(budgets=read.budgets.budgets, undo=read.undo_limits, has_safety=True)


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
