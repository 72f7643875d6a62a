"""When a workflow that runs for ever continues as new although its history is short."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

RENEW_AFTER: Final = timedelta(days=1)


def is_old_run() -> bool:
    """Whether this run began a day ago: nothing that is older may need a former key for ever.

    Looked at whenever something happens. A timer would cost an action a day, and is not worth it.
    """
    return workflow.now() - workflow.info().start_time >= RENEW_AFTER
