"""`clawback case`: list, show and watch cases, decide held ones, and work on them together."""

import typer

from clawback.cli.case.decide import approve, deny
from clawback.cli.case.list import list_cases
from clawback.cli.case.notes import assign, comment
from clawback.cli.case.show import show
from clawback.cli.case.watch import watch

app = typer.Typer(no_args_is_help=True, help="List, show and watch cases, and decide held ones.")

app.command("list")(list_cases)
app.command("show")(show)
app.command("watch")(watch)
app.command("approve")(approve)
app.command("deny")(deny)
app.command("comment")(comment)
app.command("assign")(assign)
