"""`clawback rules`: write, check, test and understand rules."""

import typer

from clawback.cli.lazy_group import LazyCommand, LazyGroup

_COMMANDS = {
    "check": LazyCommand(
        f"{__name__}.check:check", "Load rules as the worker does and report every problem."
    ),
    "test": LazyCommand(f"{__name__}.test_rules:run_rule_tests", "Run the tests in rule files."),
    "explain": LazyCommand(f"{__name__}.explain:explain", "Explain how a rule evaluates events."),
    "backtest": LazyCommand(
        f"{__name__}.backtest:backtest", "Replay history: what rules would match and do."
    ),
    "diff": LazyCommand(f"{__name__}.diff:diff", "Compare the rules with a git revision of them."),
    "fmt": LazyCommand(
        f"{__name__}.fmt:fmt", "Format rule files: indentation, gaps and blank lines."
    ),
    "schema": LazyCommand(f"{__name__}.schema:schema", "Print the JSON Schema of rule files."),
    "init": LazyCommand(
        f"{__name__}.init:init", "Copy the shipped rules to a folder, to edit them."
    ),
    "new": LazyCommand(
        f"{__name__}.new:new",
        "Write a rule in shadow mode, with tests, from a message or case.",
    ),
    "import": LazyCommand(
        f"{__name__}.import_rules:import_rules",
        "Import plain Sigma rules on e-mail, and report what applies.",
    ),
    "list": LazyCommand(
        f"{__name__}.list_rules:list_rules",
        "List rules with mode, last match, version and file.",
    ),
    "confirm": LazyCommand(f"{__name__}.confirm:confirm", "Confirm a rule that an undo demoted."),
}


class _Commands(LazyGroup):
    lazy = _COMMANDS


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, help="Write, check, test and understand rules."
)
