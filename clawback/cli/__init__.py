"""The `clawback` command: one module or package per command, each of them parse, call, print.

You touch it to add a command or an option. Decisions belong in the rooms that it calls.
"""

import sys
from typing import NoReturn

from clawback.cli.exits import ExitCode, describe_missing_module, exit_now


def main() -> NoReturn:
    """Run one command line and leave with its exit code."""
    try:
        from clawback.cli.program import run  # noqa: PLC0415 - worker.py imports `exit_now` alone
    except ModuleNotFoundError as error:
        # without the requirements, clawback.cli.output cannot be imported either
        sys.stderr.write(f"clawback: {describe_missing_module(error)}\n")
        exit_now(ExitCode.ENVIRONMENT)

    exit_now(run(sys.argv[1:]))
