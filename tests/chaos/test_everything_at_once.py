"""Two workers, kills of both and of the server, a freeze and API faults, in one run."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAULTS = "429=0.05,500=0.05,reset=0.05,lost_answer=0.05"


def test_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    """Ledger and audit agree with what should have happened."""
    out = tmp_path / "figures.json"
    command = [
        *(sys.executable, "-m", "bench", "chaos", "--rounds", "1", "--campaigns", "40"),
        *("--pace", "8", "--workers", "2", "--kill-worker", "2", "--kill-server", "1"),
        *("--freeze-worker", "1", "--faults", FAULTS, "--json", str(out)),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads(out.read_text())["rounds"]
    assert (result["lost"], result["twice"], result["unexpected"]) == ([], [], [])
    assert result["moved"] == 40
    assert (result["kills"], result["server_kills"], result["freezes"]) == (2, 1, 1)
