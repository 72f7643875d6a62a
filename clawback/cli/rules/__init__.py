"""`clawback rules`: write, check, test and understand rules."""

import typer

from clawback.cli.rules.backtest import backtest
from clawback.cli.rules.check import check
from clawback.cli.rules.confirm import confirm
from clawback.cli.rules.diff import diff
from clawback.cli.rules.explain import explain
from clawback.cli.rules.fmt import fmt
from clawback.cli.rules.import_rules import import_rules
from clawback.cli.rules.init import init
from clawback.cli.rules.list_rules import list_rules
from clawback.cli.rules.new import new
from clawback.cli.rules.schema import schema
from clawback.cli.rules.test_rules import run_rule_tests

app = typer.Typer(no_args_is_help=True, help="Write, check, test and understand rules.")

app.command("check")(check)
app.command("test")(run_rule_tests)
app.command("explain")(explain)
app.command("backtest")(backtest)
app.command("diff")(diff)
app.command("fmt")(fmt)
app.command("schema")(schema)
app.command("init")(init)
app.command("new")(new)
app.command("import")(import_rules)
app.command("list")(list_rules)
app.command("confirm")(confirm)
