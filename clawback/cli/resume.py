"""`clawback resume`: end `clawback stop`."""

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, say
from clawback.cli.temporal_access import By, call_temporal, operating_system_user
from clawback.temporal.guard_gateway import GuardGateway


def resume(*, by: By = operating_system_user(), as_json: AsJson = False) -> int:  # noqa: B008 - the user does not change
    """Resume containment after `clawback stop`; waiting actions run now."""
    call_temporal(lambda client: GuardGateway(client).resume(by))
    if as_json:
        print_json({"stopped": False})
    else:
        say("Containment resumed.")
    return ExitCode.OK
