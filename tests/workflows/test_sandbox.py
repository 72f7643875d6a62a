"""What the sandbox loads again for every run of a workflow: memory and time of every open case."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = """
import sys
from temporalio import workflow
workflow.unsafe._set_in_sandbox({inside})
import workflows.{module}
print(*sorted(name for name in sys.modules if name in {{"workflows.poller", "workflows.watchdog"}}))
"""


@pytest.mark.parametrize(
    ("inside", "others"), [(True, []), (False, ["workflows.poller", "workflows.watchdog"])]
)
def test_a_run_loads_its_own_workflow_alone(inside: bool, others: list[str]) -> None:  # noqa: FBT001 - a parameter of a test
    """A case does not load the other workflows again.

    Outside of the sandbox the package holds them all.
    """
    program = LOADED.format(inside=inside, module="case")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == others
