"""Exit codes, and the one way out of every command.

docs/operations/commands.md prints the texts below the codes.
"""

import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn


class ExitCode(IntEnum):
    """What an exit code means; scripts may rely on it."""

    OK = 0
    """Success; where the command answers a question, yes."""
    NO = 1
    """The answer is no: a rule has an error, an audit is broken; or nothing has the id or name."""
    USAGE = 2
    """The command line or a setting is wrong."""
    ENVIRONMENT = 3
    """Machine or server not ready: port in use, disk full, no Temporal server, no worker."""
    REFUSED = 4
    """Cloudflare refused the token or the request."""
    INTERNAL = 70
    """Internal error of clawback; please report it."""
    INTERRUPTED = 130
    """Interrupted with Ctrl-C before it was done."""
    BROKEN_PIPE = 141
    """The reader of its output went away."""


class Failure(Exception):
    """Ends a command with an error message and an exit code.

    The message names the place and the remedy.
    """

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code


def require_terminal(remedy: str) -> None:
    """Raise Failure if nobody can be asked; `remedy` says how to go without."""
    if not sys.stdin.isatty():
        raise Failure(f"no terminal to ask on: {remedy}", ExitCode.USAGE)


def describe_missing_module(error: ModuleNotFoundError) -> str:
    """Say which package is missing, and how to install it."""
    package = (error.name or "").partition(".")[0]
    return (
        f"the package {package} is not installed: run make env in a checkout, "
        "or install clawback again"
    )


def exit_now(code: int) -> NoReturn:
    """Flush the output and leave at once.

    A short-lived process that used the Temporal client may crash while the interpreter shuts down
    (sdk-python issue 300), which would replace the exit code. `os._exit` skips the shutdown.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
