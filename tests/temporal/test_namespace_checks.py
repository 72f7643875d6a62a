"""Search attributes and retention of a namespace, on real servers that miss something."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from clawback.temporal import names
from clawback.temporal.namespace_checks import (
    NamespaceNotReady,
    NoSuchNamespace,
    check_namespace,
    describe_retention,
    read_retention,
    read_search_attributes,
    require_namespace,
    require_search_attributes,
)
from tests.conftest import server_options

DAY = timedelta(days=1)


class RefusingOperator:
    """Answers every call of the operator service as Temporal Cloud does."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: object, **__: object) -> None:
            raise RPCError("Request unauthorized.", RPCStatusCode.PERMISSION_DENIED, b"")

        return refuse


class CloudClient(Client):
    """A client of a server that offers no operator service."""

    @property
    def operator_service(self) -> Any:
        """The service that refuses."""
        return RefusingOperator()


@pytest.fixture
async def bare(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A server without our search attributes, or with those of the parameter."""
    options = server_options()
    options["search_attributes"] = getattr(request, "param", [])
    async with await WorkflowEnvironment.start_local(**options) as environment:
        yield environment.client


async def test_a_namespace_that_does_not_exist_names_the_command(temporal: Client) -> None:
    """One sentence with server, namespace and a retention that undo needs, not a traceback."""
    config = temporal.config()
    config["namespace"] = "nowhere"
    elsewhere = Client(**config)
    with pytest.raises(NoSuchNamespace) as refused:
        await check_namespace(elsewhere, 3 * DAY)
    text = str(refused.value)
    assert f"{temporal.service_client.config.target_host} has no namespace nowhere" in text
    assert "`temporal operator namespace create --namespace nowhere --retention 720h`" in text
    await require_namespace(temporal)


async def test_missing_attributes_are_created(bare: Client) -> None:
    """Afterwards a workflow can be started with them at once, and a repeat changes nothing."""
    assert await read_search_attributes(bare) == {}
    await require_search_attributes(bare)
    assert await read_search_attributes(bare) == dict(names.SEARCH_ATTRIBUTES)
    await require_search_attributes(bare)
    for name in names.SEARCH_ATTRIBUTES:
        assert (await bare.count_workflows(f"{name} IS NOT NULL")).count == 0


async def test_missing_attributes_that_may_not_be_created_name_the_command(bare: Client) -> None:
    """One sentence names the namespace, each attribute, and the commands of server and Cloud."""
    with pytest.raises(NamespaceNotReady) as refused:
        await require_search_attributes(CloudClient(**bare.config()))
    text = str(refused.value)
    assert "namespace default lacks search attributes" in text
    assert "temporal operator search-attribute create --namespace default" in text
    assert all(f"--name {name} --type {kind}" in text for name, kind in _types())
    assert all(f'--search-attribute "{name}={kind}"' in text for name, kind in _types())
    assert "\n" not in text


async def test_present_attributes_need_no_operator_service(temporal: Client) -> None:
    """Where nobody may list them, a query finds out that they exist."""
    await require_search_attributes(CloudClient(**temporal.config()))


@pytest.mark.parametrize(
    "bare", [[SearchAttributeKey.for_int(names.RULE_ATTRIBUTE)]], indirect=True
)
async def test_a_wrong_type_is_named(bare: Client) -> None:
    """A server silently ignores a registration with another type, so the type is compared."""
    with pytest.raises(NamespaceNotReady, match=f"{names.RULE_ATTRIBUTE} is Int, not Keyword"):
        await require_search_attributes(bare)


async def test_the_retention_is_read_from_the_server(temporal: Client) -> None:
    """A development server keeps closed workflows for a day."""
    assert await read_retention(temporal) == DAY


@pytest.mark.parametrize(
    ("retention", "lost"),
    [
        (400 * DAY, []),
        (30 * DAY, []),
        (7 * DAY, ["clawback undo"]),
        (3 * DAY, ["clawback undo", "a submission that clawback made itself"]),
    ],
)
def test_a_short_retention_says_what_is_lost(retention: timedelta, lost: list[str]) -> None:
    """Undo reaches as far back as the retention; markers of submissions must outlive reviews."""
    text = describe_retention("mail", retention, 3 * DAY)
    assert (text is None) == (not lost)
    assert all(one in (text or "") for one in lost)
    assert text is None or "--namespace mail --retention 720h" in text


def _types() -> list[tuple[str, str]]:
    return list(names.SEARCH_ATTRIBUTES.items())
