"""`clawback rules test`.

Run the tests that rules carry, and say which parts of their conditions no test reaches.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.rule_folders import find_folder, load_folder, unknown_rule
from clawback.cli.rules.explain_output import aligned, explanation_data, show, tree_lines
from clawback.rules import RuleSet
from clawback.rules.tools.coverage import Coverage, measure_coverage
from clawback.rules.tools.testing import RuleTestResult, run_tests


def run_rule_tests(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of rules or one file in it; CLAWBACK_RULES unless told.",
            show_default=False,
        ),
    ] = None,
    *,
    rule: Annotated[
        list[str] | None, typer.Option(help="Only the tests of this rule; may be repeated.")
    ] = None,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage", help="Say which parts of the conditions no test makes true, or false."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Run the tests that the rules carry.

    Exit code 0: all passed. 1: a test failed, or the rules cannot be loaded. 2: there is no such
    rule.
    """
    folder, file = find_folder(path)
    rules = load_folder(folder)
    names = _names(rules, file, rule)
    trials = run_tests(rules, names)
    failed = [trial for trial in trials if not trial.passed]
    covered = (
        [one for one in measure_coverage(rules) if one.name in names or (file is None and not rule)]
        if coverage
        else []
    )
    if as_json:
        answer = {"good": not failed, "tests": [_trial(trial) for trial in trials]}
        print_json(answer | ({"coverage": [_covered(one) for one in covered]} if coverage else {}))
    else:
        show(line for trial in failed for line in failure_lines(trial))
        _say_coverage(covered)
        print_text(
            f"{len(trials) - len(failed)} of {len(trials)} tests of {len({trial.rule for trial in trials})} rules passed"
        )
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


def failure_lines(trial: RuleTestResult) -> Iterator[Text]:
    """Say why a test failed: where it is, what was expected, and its condition as it came out."""
    yield Text.assemble(
        (f"{trial.path}:{trial.line}: ", "bold"),
        f"{trial.rule}: {trial.name!r} expected {trial.expected}, found ",
        (trial.found, "red"),
    )
    yield from aligned(list(tree_lines(trial.why)), "  ")
    for line in trial.progress:
        yield Text(f"  {line}", "yellow")


def _say_coverage(covered: list[Coverage]) -> None:
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
            f"coverage: {made} of {2 * len(parts)} answers of {len(parts)} selections, branches and exceptions"
        )


def _trial(trial: RuleTestResult) -> dict[str, Any]:
    data = {name: value for name, value in asdict(trial).items() if name != "why"}
    return data | ({"why": [explanation_data(one) for one in trial.why]} if trial.why else {})


def _covered(one: Coverage) -> dict[str, Any]:
    return asdict(one) | {"gaps": list(one.gaps), "share": round(one.share, 4)}
