"""The backtest benchmark runs, and its history is what it says."""

import json
import subprocess
import sys
from pathlib import Path

from bench.history import write_history
from clawback.model.events import message_event
from clawback.model.times import parse_time
from clawback.simulator import read_corpus

ROOT = Path(__file__).parents[2]
NOWHERE = ROOT / "there is no such corpus"


def test_backtest_is_measured_against_parsing(tmp_path: Path) -> None:
    """Both processes are measured, and the table shows their ratio."""
    out = tmp_path / "figures.json"
    options = ["--events", "60", "--rounds", "1", "--corpus", str(NOWHERE), "--json", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "backtest", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert set(found["medians"]) == {"backtest", "parsing"}
    assert all(figure > 0 for turn in found["medians"].values() for figure in turn.values())
    assert "to parsing" in done.stdout


def test_history_repeats_under_new_ids_on_earlier_days(tmp_path: Path) -> None:
    """A repeated message has a new id and an earlier day, and is otherwise the same."""
    path = tmp_path / "history.jsonl.gz"
    write_history(NOWHERE, 500, path)
    records = [line.record for line in read_corpus(path)]
    length = next(
        index
        for index, record in enumerate(records)
        if index and record["subject"] == records[0]["subject"] and _turn(record)
    )
    first, again = records[0], records[length]
    now = parse_time("2030-01-01T00:00:00Z")
    assert now is not None
    assert len({record["id"] for record in records}) == len(records) == 500
    assert (message_event(first, now).at - message_event(again, now).at).total_seconds() == 86_400
    assert again["edf_hash"] == first["edf_hash"]


def _turn(record: dict[str, str]) -> int:
    return int(record["id"].rpartition("-")[2])
