"""`clawback poll`: the state of the pollers, and control over them."""

import typer

from clawback.cli.poll.commands import now, pause, resume, rewind, status

app = typer.Typer(no_args_is_help=True, help="Show and control the pollers.")

app.command("status")(status)
app.command("now")(now)
app.command("pause")(pause)
app.command("resume")(resume)
app.command("rewind")(rewind)
