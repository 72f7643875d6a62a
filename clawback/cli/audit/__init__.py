"""`clawback audit`: check the audit file."""

import typer

from clawback.cli.audit.verify import verify

app = typer.Typer(no_args_is_help=True, help="Check the audit file.")


@app.callback()
def _audit() -> None:
    """Check the audit file."""


app.command("verify")(verify)
