"""`clawback rules`: check a folder of rules, and run the tests that the rules carry."""

from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, say
from clawback.cli.rule_tests import run_rule_tests
from clawback.rules import Problem, RuleErrors, load_rules
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


app.command("test")(run_rule_tests)


def _problem(problem: Problem) -> dict[str, Any]:
    said = {"code": problem.code, "message": problem.message, "text": problem.text, "remedy": problem.remedy}
    return {**problem.place._asdict(), **said}
