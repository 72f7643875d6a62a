"""Pauses Python's cyclic garbage collector.

Whoever decodes many thousands of values makes no cycles, and the collector's search for them among
all the values takes a fifth to a half of the time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause the collector, if it runs; reference counting goes on."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
