"""`clawback keys`: the keys that encrypt payloads in Temporal."""

import typer

from clawback.cli.keys.commands import add, list_keys, new, remove, use

app = typer.Typer(no_args_is_help=True, help="Manage the keys that encrypt payloads.")


@app.callback()
def _keys() -> None:
    """Manage the keys that encrypt payloads."""


app.command("list")(list_keys)
app.command("new")(new)
app.command("add")(add)
app.command("use")(use)
app.command("remove")(remove)
