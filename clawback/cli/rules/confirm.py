"""`clawback rules confirm`: end the demotion of a rule."""

from typing import Annotated

import typer

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.temporal.guard_gateway import GuardGateway


def confirm(
    name: Annotated[str, typer.Argument(help="Name of the rule.")],
    *,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Confirm a rule that an undo demoted.

    Its new cases follow its mode again.
    Cases that were held for it go on within the budgets; deny first those that must not.
    """
    actor = require_actor(Verb.CONFIRM_RULE, by)
    call_temporal(lambda client: GuardGateway(client).confirm(name, actor, reason))
    if as_json:
        print_json({"rule": name, "confirmed_by": actor.label})
    else:
        print_text(f"{name} is confirmed and acts again.")
    return ExitCode.OK
