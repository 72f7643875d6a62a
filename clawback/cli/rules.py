"""`clawback rules`: check a folder of rules, and run the tests that the rules carry."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, say
from clawback.rules import Problem, RuleErrors, RuleSet, load_rules
from clawback.rules.explanation import Explanation
from clawback.rules.trials import Trial, run_tests
from clawback.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Check rules and run their tests.")

_SHOWN = 50

Folder = Annotated[Path | None, typer.Argument(help="The folder of rules; that of CLAWBACK_RULES unless told.", show_default=False)]


@app.command()
def check(folder: Folder = None, *, as_json: AsJson = False) -> int:
    """Load a folder as the worker would, and say everything that is wrong with it; exit code 1 if anything is."""
    where = folder or load_settings().rules
    try:
        rules = load_rules(where)
    except RuleErrors as error:
        if as_json:
            print_json({"good": False, "problems": [_problem(problem) for problem in error.problems]})
        else:
            for problem in error.problems[:_SHOWN]:
                say(str(problem))
            say(f"{len(error.problems)} problems in {where}" + (f", of which {_SHOWN} are shown" if len(error.problems) > _SHOWN else ""))
        return ExitCode.NO
    responding = [rule for rule in rules.rules.values() if rule.response]
    if as_json:
        print_json({"good": True, "problems": [], "rules": len(rules.rules), "responding": len(responding), "version": rules.version})
    else:
        counts = f"{len(rules.rules)} rules, {len(responding)} of them respond, {len(rules.filters)} exceptions"
        say(f"{where} is good: {counts}; version {rules.version}")
    return ExitCode.OK


@app.command("test")
def run_them(
    folder: Folder = None,
    *,
    rule: Annotated[list[str] | None, typer.Option(help="Only the tests of this rule; may be repeated.")] = None,
    as_json: AsJson = False,
) -> int:
    """Run the tests that the rules carry; exit code 1 if one fails."""
    rules = _loaded(folder)
    if unknown := sorted(set(rule or ()) - set(rules.rules)):
        raise Failure(f"there is no rule {unknown[0]!r}; there are {', '.join(rules.rules)}", ExitCode.USAGE)
    trials = run_tests(rules, rule or None)
    failed = [trial for trial in trials if not trial.passed]
    if as_json:
        print_json({"good": not failed, "tests": [_trial(trial) for trial in trials]})
    else:
        for line in (line for trial in failed for line in _told(trial)):
            say(line)
        say(f"{len(trials) - len(failed)} of {len(trials)} tests of {len({trial.rule for trial in trials})} rules passed")
    return ExitCode.NO if failed else ExitCode.OK


def _loaded(folder: Path | None) -> RuleSet:
    try:
        return load_rules(folder or load_settings().rules)
    except RuleErrors as error:
        raise Failure(str(error), ExitCode.NO) from error


def _problem(problem: Problem) -> dict[str, Any]:
    said = {"code": problem.code, "message": problem.message, "text": problem.text, "remedy": problem.remedy}
    return {**problem.place._asdict(), **said}


def _trial(trial: Trial) -> dict[str, Any]:
    return {name: value for name, value in asdict(trial).items() if name != "why"}


def _told(trial: Trial) -> Iterator[str]:
    yield f"{trial.path}:{trial.line}: {trial.rule}: {trial.name!r} expected {trial.expected}, found {trial.found}"
    for explanation in trial.why:
        yield from _explained(explanation, 1)


def _explained(explanation: Explanation, depth: int) -> Iterator[str]:
    answer = {True: "yes", False: "no", None: "not known"}[explanation.outcome]
    tested = f": {explanation.field} is {list(explanation.actual)}, wanted {list(explanation.expected)}" if explanation.field else ""
    yield f"{'  ' * depth}{answer:9} {explanation.label}{tested}"
    for child in explanation.children:
        yield from _explained(child, depth + 1)
