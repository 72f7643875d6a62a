"""`clawback stop`: the kill switch."""

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.stopping import stop_containment


def stop(*, by: By = "", reason: Reason = "", as_json: AsJson = False) -> int:
    """Stop containment on all workers.

    Once this returns, no further change leaves any worker. Polling, case decisions and undo
    continue.
    """
    actor = require_actor(Verb.STOP, by)
    with show_progress("Waiting until no worker can act"):
        stopped = call_temporal(
            lambda client: stop_containment(GuardGateway(client), actor, reason)
        )

    if as_json:
        print_json(stopped.model_dump(mode="json"))
    else:
        why = f": {stopped.reason}" if stopped.reason else ""
        print_text(
            f"Stopped by {stopped.by} at {stopped.at:%Y-%m-%d %H:%M:%S} UTC{why}. "
            "`clawback resume` ends it."
        )

    return ExitCode.OK
