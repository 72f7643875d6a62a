"""Recorded responses of every endpoint, old and new, are parsed correctly."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from clawback.cloudflare import Page, Resubmission
from clawback.cloudflare.wire_model import WireModel
from clawback.model.times import parse_time
from tests.cloudflare.support import always

ANSWERS = Path(__file__).parent / "answers"
CASES = sorted(folder.name for folder in ANSWERS.iterdir() if folder.is_dir())


def load(case: str, name: str) -> Any:
    return json.loads((ANSWERS / case / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
async def test_a_recorded_answer_is_read_correctly(case: str) -> None:
    """The method returns what `expected.json` says of `answer.json`."""
    recorded = load(case, "answer.json")
    content = b"" if recorded["body"] is None else json.dumps(recorded["body"]).encode()
    api = always(httpx.Response(recorded["status"], headers=recorded["headers"], content=content))
    arguments = {
        name: argument(name, value) for name, value in recorded["call"]["arguments"].items()
    }
    target: Any = api
    for name in recorded["call"]["method"].split("."):
        target = getattr(target, name)
    compare(await target(**arguments), load(case, "expected.json"))


def argument(name: str, value: Any) -> Any:
    """Convert a JSON argument to the parameter type."""
    if name == "messages":
        return [Resubmission(**item) for item in value]
    return parse_time(value) if name in {"start", "end"} else value


def compare(read: Any, expected: Any) -> None:
    """Check the part of the result that the case names."""
    match read:
        case Page():
            assert (read.next, len(read.rejected)) == (expected["next"], expected["rejected"])
            compare(read.items, expected)
        case tuple():
            assert len(read) == len(expected["items"])
            for item, wanted in zip(read, expected["items"], strict=True):
                compare(item, wanted)
        case WireModel():
            compare_record(read, expected)
        case dict():
            assert {name: read[name] for name in expected} == expected
        case _:
            assert read == expected


def compare_record(read: WireModel, expected: dict[str, Any]) -> None:
    """Check typed fields and the record under current names."""
    for name, wanted in expected.items():
        if name == "record":
            assert {field: read.record[field] for field in wanted} == wanted
        elif name == "gone":
            assert not set(wanted) & set(read.record)
        else:
            found = look(read, name)
            assert plain(found) == (parse_time(wanted) if isinstance(found, datetime) else wanted)


def look(read: Any, path: str) -> Any:
    """Follow a dotted path of attributes and indices."""
    for part in path.split("."):
        read = read[int(part)] if part.isdecimal() else getattr(read, part)
    return read


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
