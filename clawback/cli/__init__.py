"""The `clawback` command.

Nothing is decided here: commands read the environment, call `clawback`, and say what came of it.
"""

import sys
from typing import NoReturn

from clawback.cli.exits import exit_now


def main() -> NoReturn:
    """Run one command and leave with its exit code."""
    from clawback.cli.program import run  # noqa: PLC0415 - what only needs `exit_now` must not load the commands

    exit_now(run(sys.argv[1:]))
