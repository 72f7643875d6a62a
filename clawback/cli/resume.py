"""`clawback resume`: end `clawback stop`."""

from clawback.cli.arguments import By
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.temporal.guard_gateway import GuardGateway


def resume(*, by: By, as_json: AsJson = False) -> int:
    """Resume containment after `clawback stop`.

    Waiting actions run now.
    """
    call_temporal(lambda client: GuardGateway(client).resume(by))
    if as_json:
        print_json({"stopped": False})
    else:
        print_text("Containment resumed.")
    return ExitCode.OK
