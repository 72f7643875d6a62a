"""What tests of several rooms share.

A real Temporal server, and the shared corpus where it is present.
"""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from clawback.temporal import names
from clawback.temporal.data_converter import data_converter

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # machines are shared: no test is judged by the clock

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "phishing_pot.jsonl.gz"


def temporal_binary() -> str:
    """Find the server that the locked requirements installed."""
    return (
        shutil.which("temporal", path=str(Path(sys.executable).parent))
        or shutil.which("temporal")
        or "temporal"
    )


ONE_PARTITION = ("matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1")


def server_options(*configured: str) -> dict[str, Any]:
    """How tests start a Temporal dev server.

    Ours, in memory, with our search attributes and further dynamic configuration.
    """
    return {
        "dev_server_existing_path": temporal_binary(),
        "data_converter": data_converter(None),
        "search_attributes": [
            SearchAttributeKey.for_keyword(name) for name in names.SEARCH_ATTRIBUTES
        ],
        "dev_server_extra_args": [
            word
            for value in (*ONE_PARTITION, *configured)
            for word in ("--dynamic-config-value", value)
        ],
    }


@pytest.fixture
async def temporal(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A real Temporal dev server for one test: it starts in half a second.

    An indirect parameter gives further dynamic configuration, such as
    `("limit.historyCount.suggestContinueAsNew=40",)`.
    """
    async with await WorkflowEnvironment.start_local(
        **server_options(*getattr(request, "param", ()))
    ) as environment:
        yield environment.client


@pytest.fixture
async def skipping() -> AsyncIterator[Client]:
    """The same server with a clock of its own, which goes on to the next timer as soon as nothing else is to be done."""
    options = server_options("frontend.WorkflowTimeSkippingEnabled=true")
    async with await WorkflowEnvironment.start_time_skipping_v2(**options) as environment:
        yield environment.client


@pytest.fixture
def corpus() -> Path:
    """The shared corpus of real phishing mail; skips where it is not beside the checkout."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not beside this checkout")
    return CORPUS
