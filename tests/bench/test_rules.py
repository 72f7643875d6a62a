"""The bench of the rules runs, and compares right answers.

Its conditions mean the same in every language.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.evaluators import PEERS, clawback, lambdas
from bench.rules import Contest, compare_answers, read_records
from bench.rulesets import KINDS, make_conditions

ROOT = Path(__file__).parents[2]
NOWHERE = ROOT / "there is no such corpus"


def test_rules_runs_without_the_corpus(tmp_path: Path) -> None:
    """Every contender is measured on the demo corpus, in the table and in the JSON document."""
    out = tmp_path / "figures.json"
    options = [
        "--sizes",
        "1,12",
        "--rounds",
        "1",
        "--budget",
        "0.001",
        "--corpus",
        str(NOWHERE),
        "--json",
        str(out),
    ]
    command = [sys.executable, "-m", "bench", "rules", *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())["figures"]
    assert {one["name"] for one in figures if one["contest"] == "12"} == {
        "clawback",
        "clawback, with plans",
        "lambdas",
        "cel-expr-python",
        "common-expression-language",
        "rule-engine",
    }
    assert all(one["microseconds"] > 0 for one in figures)
    assert all(kind in done.stdout for kind in KINDS)
    assert "1 rule over one lambda" in done.stdout


def test_everybody_gives_the_same_answers() -> None:
    """All engines agree on which events match, for every kind of condition, and some match."""
    records = read_records(NOWHERE, seed=1)
    conditions = make_conditions(records, 150, seed=1)
    assert {condition.kind for condition in conditions} == set(KINDS)
    contest = Contest(
        "150",
        150,
        [clawback(conditions), lambdas(conditions), *(peer(conditions) for peer in PEERS)],
    )
    assert compare_answers(contest, [json.dumps(record) for record in records]) > 0


def test_a_wrong_answer_is_found() -> None:
    """Evaluators of different conditions are told apart, so that no wrong answer is ever timed."""
    records = read_records(NOWHERE, seed=1)
    conditions = make_conditions(records, 60, seed=1)
    with pytest.raises(ValueError, match="lambdas says"):
        compare_answers(
            Contest("60", 60, [clawback(conditions), lambdas(conditions[::-1])]),
            [json.dumps(record) for record in records],
        )
