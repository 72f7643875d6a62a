"""`clawback worker`: become the worker process."""

import os
import sys
from typing import NoReturn

from clawback.settings import load_settings


def worker() -> NoReturn:
    """Run the worker against the Temporal server that TEMPORAL_* names.

    Settings are read from the environment.
    """
    load_settings()
    os.execv(sys.executable, [sys.executable, "-m", "worker"])  # noqa: S606 - no shell is wanted
