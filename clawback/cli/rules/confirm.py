"""`clawback rules confirm`: end the demotion of a rule."""

from typing import Annotated

import typer

from clawback.cli.arguments import By
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.temporal.guard_gateway import GuardGateway


def confirm(
    name: Annotated[str, typer.Argument(help="Name of the rule.")],
    *,
    by: By,
    as_json: AsJson = False,
) -> int:
    """Let a demoted rule act again: one whose actions were undone, and whose cases are held.

    Cases that are held already stay held.
    """
    call_temporal(lambda client: GuardGateway(client).confirm(name, by))
    if as_json:
        print_json({"rule": name, "confirmed_by": by})
    else:
        print_text(f"{name} is confirmed and acts again.")
    return ExitCode.OK
