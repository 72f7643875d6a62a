"""A cache of JSON objects from outside, bounded in bytes.

A decoded object takes five times as much memory as its JSON, and mail decides how large it is.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import orjson
from cachetools import LRUCache

K = TypeVar("K")

_ENTRY = 300
"""Bytes that an entry takes beside its JSON."""


class JsonCache(Generic[K]):
    """Keeps JSON objects by key, of `most_bytes` in all; the least recently used go first."""

    def __init__(self, most_bytes: int) -> None:
        self._cache: LRUCache[K, bytes] = LRUCache(most_bytes, getsizeof=_size_of)

    def __contains__(self, key: K) -> bool:
        return key in self._cache

    def get(self, key: K) -> dict[str, Any] | None:
        """Return a copy of an object; None if it is not kept."""
        body = self._cache.get(key)
        if body is None:
            return None
        value: dict[str, Any] = orjson.loads(body)
        return value

    def set(self, key: K, value: Mapping[str, Any]) -> None:
        """Keep an object, unless it is no JSON or does not fit."""
        try:
            # orjson returns its buffer, which takes four times the memory of what is in it.
            self._cache[key] = bytes(memoryview(orjson.dumps(value)))
        except (orjson.JSONEncodeError, ValueError):
            self._cache.pop(key, None)

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return int(self._cache.currsize)


def _size_of(body: bytes) -> int:
    return len(body) + _ENTRY
