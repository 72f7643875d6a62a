"""`clawback resume`: end `clawback stop`."""

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.temporal.guard_gateway import GuardGateway


def resume(*, by: By = "", reason: Reason = "", as_json: AsJson = False) -> int:
    """Resume containment after `clawback stop`.

    Waiting actions run now.
    """
    actor = require_actor(Verb.RESUME, by)
    call_temporal(lambda client: GuardGateway(client).resume(actor, reason))
    if as_json:
        print_json({"stopped": False})
    else:
        print_text("Containment resumed.")
    return ExitCode.OK
