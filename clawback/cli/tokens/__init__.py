"""`clawback tokens`: API tokens of machines."""

import typer

from clawback.cli.tokens.commands import create, list_tokens, revoke

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens of the HTTP API.")


@app.callback()
def _tokens() -> None:
    """Create, list and revoke tokens of the HTTP API."""


app.command("create")(create)
app.command("list")(list_tokens)
app.command("revoke")(revoke)
