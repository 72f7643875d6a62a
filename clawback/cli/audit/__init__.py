"""`clawback audit`: check the audit file, and manage the key that signs it."""

import typer

from clawback.cli.audit.key import key, rotate_key
from clawback.cli.audit.verify import verify

app = typer.Typer(no_args_is_help=True, help="Verify the audit, and manage its key.")


@app.callback()
def _audit() -> None:
    """Verify the audit, and manage its key."""


app.command("verify")(verify)
app.command("key")(key)
app.command("rotate-key")(rotate_key)
