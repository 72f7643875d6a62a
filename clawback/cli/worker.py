"""`clawback worker`: replace this process with the worker."""

import os
from typing import NoReturn

from clawback.app_files import worker_command
from clawback.settings import load_settings


def worker() -> NoReturn:
    """Run the worker in the foreground.

    It connects to the Temporal server that TEMPORAL_* names.
    """
    load_settings()  # a wrong setting is reported as by every other command
    command = worker_command()
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted
