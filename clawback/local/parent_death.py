"""Ties a program to the life of the process that starts it.

Run as a script, it asks the kernel for that and becomes the program.

`python -I -S parent_death.py <pid of the parent> <program> <arguments…>`. Should the parent die, however
it dies, the program is killed (Linux; elsewhere the program is only stopped by a parent that can
still do so). It imports nothing of clawback, to start at once.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: list[str]) -> None:
    """Become the program, tied to the parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
