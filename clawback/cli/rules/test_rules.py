"""`clawback rules test`: run the tests in rule files and measure their coverage."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.rule_folders import find_folder, load_folder, shown_path, unknown_rule
from clawback.cli.rules.explain_output import aligned, explanation_data, show
from clawback.rules import RuleSet
from clawback.rules.tools.coverage import Coverage, measure_coverage
from clawback.rules.tools.explained_lines import tree_lines
from clawback.rules.tools.testing import RuleTestResult, run_tests


def run_rule_tests(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of rules or a file in it, default CLAWBACK_RULES.",
            show_default=False,
        ),
    ] = None,
    *,
    rule: Annotated[
        list[str] | None, typer.Option(help="Only the tests of this rule; repeatable.")
    ] = None,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage", help="Print the parts of conditions that no test makes true, or false."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Run the tests in rule files.

    Exit code 0: all passed. 1: a test failed, or the rules cannot be loaded. 2: no such rule.
    """
    folder, file = find_folder(path)
    rules = load_folder(folder)
    names = _names(rules, file, rule)
    results = [replace(one, path=shown_path(folder, one.path)) for one in run_tests(rules, names)]
    failed = [result for result in results if not result.passed]
    covered = (
        [
            replace(one, path=shown_path(folder, one.path))
            for one in measure_coverage(rules)
            if one.name in names or (file is None and not rule)
        ]
        if coverage
        else []
    )

    if as_json:
        answer = {"good": not failed, "tests": [_result_data(result) for result in results]}
        print_json(
            answer | ({"coverage": [_coverage_data(one) for one in covered]} if coverage else {})
        )
    else:
        show(line for result in failed for line in failure_lines(result))
        _print_coverage(covered)
        count = len({result.rule for result in results})
        print_text(f"{len(results) - len(failed)} of {len(results)} tests of {count} rules passed")

    return ExitCode.NO if failed else ExitCode.OK


def _names(rules: RuleSet, file: str | None, wanted: list[str] | None) -> set[str]:
    for name in wanted or ():
        if name not in rules.rules:
            raise unknown_rule(name, rules)

    names = set(wanted or rules.rules)
    if file is None:
        return names

    there = {name for name, rule in rules.rules.items() if rule.path == file}
    if not there:
        raise Failure(f"there is no rule in {file}", ExitCode.USAGE)

    return names & there


def failure_lines(result: RuleTestResult) -> Iterator[Text]:
    """Yield why a test failed: its place, the expected result, its condition with the answers."""
    yield Text.assemble(
        (f"{result.path}:{result.line}: ", "bold"),
        f"{result.rule}: {result.name!r} expected {result.expected}, found ",
        (result.found, "red"),
    )
    yield from aligned(list(tree_lines(result.why)), "  ")
    for line in result.progress:
        yield Text(f"  {line}", "yellow")


def _print_coverage(covered: list[Coverage]) -> None:
    for one in covered:
        if one.gaps:
            print_text(
                f"{one.path}:{one.line}: {one.name}: {one.share:.0%} covered by {one.tests} tests"
            )
        for gap in one.gaps:
            print_text(f"  {gap}")

    if covered:
        parts = [part for one in covered for part in one.parts]
        made = sum(part.made_true + part.made_false for part in parts)
        print_text(
            f"coverage: {made} of {2 * len(parts)} answers of {len(parts)} selections, "
            "branches and exceptions"
        )


def _result_data(result: RuleTestResult) -> dict[str, Any]:
    data = {name: value for name, value in asdict(result).items() if name != "why"}
    return data | ({"why": [explanation_data(one) for one in result.why]} if result.why else {})


def _coverage_data(one: Coverage) -> dict[str, Any]:
    return asdict(one) | {"gaps": list(one.gaps), "share": round(one.share, 4)}
