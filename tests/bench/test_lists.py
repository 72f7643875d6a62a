"""The benchmark of lists runs, and every reading finds what is there."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_lists_and_plans_find_every_case(tmp_path: Path) -> None:
    """Of twenty cases five still act, and have changed nothing that undo could take back."""
    out = tmp_path / "figures.json"
    options = ["--cases", "20", "--acting", "5", "--rounds", "1", "--json", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "lists", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    readings = json.loads(out.read_text())["readings"]
    found = {name: row["found"] for name, row in readings.items()}
    assert (found["list, all cases"], found["undo --since 1h"]) == (20, 15)
    assert found["list --message"] == found["undo message"] == found["undo case"] == 1
