"""Texts from outside: bounded for histories and records, printable for terminals."""

from typing import Final

_ELLIPSIS: Final = "…".encode()


def printable(text: str, *, keep: str = "", replacement: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Replace control and invisible characters, which could steer a terminal; except `keep`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else replacement for char in text)


def bounded(text: str, limit: int = 300) -> str:
    """Cut a text to at most `limit` bytes of UTF-8; a cut text ends with an ellipsis.

    Surrogates, which no payload can carry, become question marks.
    """
    if text.isascii() and len(text) <= limit:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    return data[: limit - len(_ELLIPSIS)].decode("utf-8", "ignore") + _ELLIPSIS.decode()


def plural(count: int, noun: str) -> str:
    """Say how many there are: `1 rule`, `1,200 rules`. The plural takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
