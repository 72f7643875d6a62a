"""The bench of peers runs, and leaves out who finds other matches."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from bench.peers import build, columns_of, find_differences, lambdas
from bench.rules import read_records
from bench.rulesets import KINDS, make_conditions


def test_all_contenders_find_the_same() -> None:
    """Every kind of condition gives equal matches in every installed contender."""
    records = read_records(Path("/nowhere"), 0)[:60]
    conditions = make_conditions(records, 200, 0)
    each = [next(one for one in conditions if one.kind == kind) for kind in KINDS]
    built, missing = build([*each, *conditions[:20]])
    lines = [orjson.dumps(record) for record in records]
    assert "clawback" not in missing
    assert find_differences(built, lines) == {}
    assert any(built["clawback"](lines))


def test_a_contender_with_other_matches_is_named() -> None:
    """The first event that differs is told, so that nobody compares unequal work."""
    records = read_records(Path("/nowhere"), 0)[:60]
    conditions = make_conditions(records, 200, 0)[:30]
    built, _ = build(conditions)
    lines = [orjson.dumps(record) for record in records]
    other = {"clawback": built["clawback"], "less": lambdas(conditions[:1])}
    assert find_differences(other, lines).keys() == {"less"}


def test_columns_are_the_fields_outside_of_texts() -> None:
    """Words in quotes are values."""
    clauses = ["`from`='a b' AND `validation.dmarc`='it''s'", "subject LIKE '%x%' ESCAPE '\\'"]
    assert columns_of(clauses) == ["from", "subject", "validation.dmarc"]


@pytest.mark.timeout(120)
def test_the_command_prints_a_table() -> None:
    """The command runs over the demo corpus."""
    options = ["--corpus", "/nowhere", "--sizes", "5", "--rounds", "1", "--events", "50"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "peers", *options],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "5 rules" in done.stdout
    assert "clawback" in done.stdout
