"""The API of a running installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.console.api.running_api import RunningApi, running_api


@pytest.fixture
async def api(temporal: Client, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """An installation without cases, and its API."""
    async with running_api(temporal, tmp_path) as api:
        yield api
