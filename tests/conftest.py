"""What tests of several rooms share: a real Temporal server, and the shared corpus where it is present."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from clawback.temporal import names
from clawback.temporal.converter import data_converter

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "phishing_pot.jsonl.gz"


def temporal_binary() -> str:
    """Find the server that the locked requirements installed."""
    return shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal") or "temporal"


@pytest.fixture
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal dev server with our search attributes, in memory, for one test: it starts in half a second."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary(),
        data_converter=data_converter(None),
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in names.SEARCH_ATTRIBUTES],
        dev_server_extra_args=[
            "--dynamic-config-value",
            "matching.numTaskqueueReadPartitions=1",
            "--dynamic-config-value",
            "matching.numTaskqueueWritePartitions=1",
        ],
    ) as environment:
        yield environment.client


@pytest.fixture
def corpus() -> Path:
    """The shared corpus of real phishing mail; skips where it is not beside the checkout."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not beside this checkout")
    return CORPUS
