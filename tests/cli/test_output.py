"""The JSON that commands print."""

import json
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clawback.cases import CaseState
from clawback.cli.output import print_json

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
