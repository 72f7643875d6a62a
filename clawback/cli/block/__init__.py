"""`clawback block`: list, extend, lift and reconcile the sender blocks that clawback created."""

import typer

from clawback.cli.block.extend import extend
from clawback.cli.block.lift import lift
from clawback.cli.block.list import list_blocks
from clawback.cli.block.reconcile import reconcile

app = typer.Typer(
    no_args_is_help=True, help="List, extend and lift the sender blocks that clawback created."
)

app.command("list")(list_blocks)
app.command("extend")(extend)
app.command("lift")(lift)
app.command("reconcile")(reconcile)
