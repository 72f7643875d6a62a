"""`clawback undo`: undo what cases did, of one case, rule or message, or since a time."""

import typer

from clawback.cli.undo.commands import undo_case, undo_message, undo_rule, undo_since
from clawback.cli.undo.decide import approve_undo, deny_undo, list_held

app = typer.Typer(
    invoke_without_command=True,
    help="Undo what cases did, by case, rule, message or time.",
)

app.callback()(undo_since)
app.command("case")(undo_case)
app.command("rule")(undo_rule)
app.command("message")(undo_message)
app.command("list")(list_held)
app.command("approve")(approve_undo)
app.command("deny")(deny_undo)
