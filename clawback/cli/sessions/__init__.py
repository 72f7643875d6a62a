"""`clawback sessions`: end the console sessions of a person."""

import typer

from clawback.cli.sessions.commands import list_revoked, revoke

app = typer.Typer(no_args_is_help=True, help="End the console sessions of a person.")


@app.callback()
def _sessions() -> None:
    """End the console sessions of a person."""


app.command("revoke")(revoke)
app.command("list")(list_revoked)
