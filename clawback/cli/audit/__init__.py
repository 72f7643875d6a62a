"""`clawback audit`: verify and search the audit, and manage the key that signs it."""

import typer

from clawback.cli.audit.key import key, rotate_key
from clawback.cli.audit.search import search
from clawback.cli.audit.verify import verify

app = typer.Typer(no_args_is_help=True, help="Verify and search the audit, and manage its key.")


@app.callback()
def _audit() -> None:
    """Verify and search the audit, and manage its key."""


app.command("verify")(verify)
app.command("search")(search)
app.command("key")(key)
app.command("rotate-key")(rotate_key)
