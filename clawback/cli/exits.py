"""How every command ends: one way out, and the meaning of each exit code."""

import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn


class ExitCode(IntEnum):
    """What an exit code says; scripts may rely on them."""

    OK = 0
    """It worked, and the answer is yes."""
    NO = 1
    """It worked, and the answer is no.

    A rule is bad, an audit is broken, something was lost or done twice, there is no such case.
    """
    USAGE = 2
    """The command or a setting is wrong."""
    ENVIRONMENT = 3
    """This machine or a server is not as it must be.

    A taken port, a full or read-only disk, no Temporal server, no worker.
    """
    REFUSED = 4
    """Cloudflare refused the token, or what it was asked for."""
    DEFECT = 70
    """A defect of clawback."""
    INTERRUPTED = 130
    """It was interrupted (Ctrl-C) before it was done."""
    CUT_OFF = 141
    """Whoever read its output went away."""


class Failure(Exception):
    """The end of a command that could not do what it was asked.

    One sentence that names the place and the remedy, and a code.
    """

    def __init__(self, sentence: str, code: ExitCode) -> None:
        super().__init__(sentence)
        self.code = code


def exit_now(code: int) -> NoReturn:
    """Flush and leave at once.

    Short-lived processes that used the Temporal client may crash while the interpreter shuts down
    (sdk-python issue 300), which would replace the exit code; `os._exit` does not shut it down.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
