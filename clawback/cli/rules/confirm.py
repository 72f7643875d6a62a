"""`clawback rules confirm`: let a rule act again whose work was undone."""

from typing import Annotated

import typer

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, say
from clawback.cli.temporal_access import By, call_temporal, operating_system_user
from clawback.temporal.guard_gateway import GuardGateway


def confirm(
    name: Annotated[str, typer.Argument(help="The name of the rule.")],
    *,
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    as_json: AsJson = False,
) -> int:
    """Let a rule act again whose work was undone; until then its cases are held.

    Cases held by then stay so.
    """
    call_temporal(lambda client: GuardGateway(client).confirm(name, by))
    if as_json:
        print_json({"rule": name, "confirmed_by": by})
    else:
        say(f"{name} acts again.")
    return ExitCode.OK
