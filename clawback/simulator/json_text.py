"""Decodes JSON that people saved with other tools, and says in plain words what cannot be read.

A line ends at LF alone: JSON may hold U+2028, U+2029 and U+0085 as they are, which
`str.splitlines` and text streams take for the ends of lines.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Any

import orjson

_WHAT = "save it as UTF-8"


def decode_text(data: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        ValueError: it is something else; the text says what.

    """
    data = data.removeprefix(codecs.BOM_UTF8)
    encoding = json.detect_encoding(data)
    if not encoding.startswith("utf-8"):
        raise ValueError(f"this is {encoding[:6].upper()} text; {_WHAT}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} is not UTF-8; {_WHAT}") from None


def decode_json(data: bytes | str) -> Any:
    """Decode one JSON document.

    Raises:
        ValueError: it is none, in another encoding, or nested too deeply; the text says which.

    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass

    try:
        # The standard library takes what orjson refuses, or says where it is wrong.
        return json.loads(data if isinstance(data, str) else decode_text(data))
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
