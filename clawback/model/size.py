"""How large a payload is, and how much of anything fits into one. Bytes are counted here only.

Temporal refuses a payload over 2 MiB for ever: an activity input or a result of that size blocks
its workflow. So every payload of ours stays below half of that by construction. Sizes are those of
the JSON before compression, so encryption and odd characters cannot make one larger.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from pydantic_core import to_json

T = TypeVar("T")

PAYLOAD_LIMIT: Final = 1024 * 1024
"""No payload is larger, in bytes."""
BATCH_LIMIT: Final = 384 * 1024
"""The items of one signal, activity or record batch, in bytes; their frame comes on top."""
PLAN_LIMIT: Final = 192 * 1024
"""The plan of a case, in bytes: it goes with every batch, and with the state of the case."""
MATCH_LIMIT: Final = 48 * 1024
"""The messages of one match, in bytes: every match fits into an empty case."""


def payload_size(value: object) -> int:
    """Count the bytes of a value as it is sent: JSON, before compression and encryption."""
    return len(to_json(value))


def split_by_size(
    items: Iterable[T], limit: int = BATCH_LIMIT, most: int | None = None
) -> Iterator[tuple[T, ...]]:
    """Split items, in order, into batches of at most `limit` bytes and `most` items.

    An item that is larger than `limit` alone makes a batch of its own.
    """
    batch: list[T] = []
    size = 0
    for item in items:
        # One more for the comma.
        added = payload_size(item) + 1
        if batch and (size + added > limit or len(batch) == most):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(item)
        size += added

    if batch:
        yield tuple(batch)
