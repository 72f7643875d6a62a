"""Keeps the C allocator from having a heap for each thread.

glibc gives threads arenas of their own, and what is freed in one is not used again by the others:
of the console, that is a twentieth of all memory. Its threads compute little, so they may share.
"""

import ctypes
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8
"""Of `malloc.h` in glibc."""


def share_one_arena() -> None:
    """Have all threads allocate from one heap, where the C library is glibc.

    It counts for arenas that do not exist yet: call it before threads start.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
