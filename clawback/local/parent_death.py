"""Runs a program that is killed when the process that started it dies. A script.

`python -I -S parent_death.py <parent pid> <program> <arguments…>`. On Linux the kernel kills the
program however its parent dies; elsewhere only a parent that is still alive can stop it. It imports
nothing from clawback, to start fast.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: list[str]) -> None:
    """Ask the kernel for the death signal, then become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the request
        sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
