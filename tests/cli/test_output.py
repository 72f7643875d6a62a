"""The JSON that commands print."""

import json
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clawback.cases import CaseState
from clawback.cli.output import print_json, print_json_object

Pair = namedtuple("Pair", ("left", "right"))  # noqa: PYI024 - one without types


@pytest.mark.parametrize(
    "value",
    [
        {"text": "ü\u2028🐟", "list": [], "map": {}, "none": None, "yes": True, "number": 1.5},
        {1: "an integer as key", CaseState.HELD: CaseState.HELD},
        [Pair(1, "x"), (1, 2), Path("/a"), datetime(2026, 11, 28, tzinfo=UTC)],
        {"large": 2**80},
    ],
)
def test_it_is_what_the_standard_library_prints(
    value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every value is written as `json` writes it, also one that orjson refuses."""
    print_json(value)
    expected = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    assert capsys.readouterr().out == expected + "\n"


@pytest.mark.parametrize(
    "items",
    [[], [{"case": "a", "list": [1, {"deep": [2]}], "none": []}, {}], ["ü\u2028", 2**80, None]],
)
def test_a_streamed_document_is_the_same(
    items: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Item by item, with the same indentation."""
    print_json_object([("items", iter(items)), ("kept", items), ("number", 1)])
    expected = {"items": items, "kept": items, "number": 1}
    assert capsys.readouterr().out == json.dumps(expected, ensure_ascii=False, indent=2) + "\n"
    print_json_object([])
    assert json.loads(capsys.readouterr().out) == {}
