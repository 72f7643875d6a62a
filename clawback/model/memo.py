"""Remembers what a function gives for the texts that it has seen lately."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 8_192
_LONGEST = 512


class Memo(dict[str, T], Generic[T]):
    """The values of a function by text: `memo[text]`; at most 8,192, of texts up to 512 characters.

    Values must not be changed. A campaign has the same text in many events, and many rules ask for
    the same text of an event.
    """

    def __init__(self, function: Callable[[str], T]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, text: str) -> T:
        value = self._function(text)
        if len(text) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[text] = value
        return value


def memoized(function: Callable[[str], T]) -> Callable[[str], T]:
    """Let a function of a text remember its values; nothing in Python runs for a known text."""
    return Memo(function).__getitem__
