"""What a namespace must offer before the first workflow: existence, search attributes, retention.

Each finding is one sentence with its remedy, for the start of a worker and for the doctor. Nothing
here needs the operator service: where a server does not offer it, visibility queries answer.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from clawback.model.durations import format_duration
from clawback.model.loggable import LoggableError, LoggableText
from clawback.temporal import names
from clawback.temporal.client import TemporalUnreachable

UNDO_REACH = timedelta(days=30)
"""How far back people may expect `clawback undo` and `clawback case show` to reach."""
_UNDO_HOURS = f"{UNDO_REACH.total_seconds() / 3600:.0f}h"

REFUSED = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})
"""How a server says that it does not offer a call, or not to us."""

log = structlog.get_logger("clawback")
_USABLE_WITHIN = 90.0
"""Seconds until a new attribute is usable: servers cache their list for up to a minute."""
_LOOK_AGAIN = 1.0


class NamespaceNotReady(LoggableError, RuntimeError):
    """The namespace lacks something that clawback cannot create itself; the text has the remedy."""


class NoSuchNamespace(TemporalUnreachable):
    """The server answers, and does not have the namespace; the text has the remedy."""


async def check_namespace(client: Client, submission_lookback: timedelta) -> None:
    """Make sure of what a worker needs, and warn of what it should have.

    Raises:
        NoSuchNamespace: see `require_namespace`.
        NamespaceNotReady: see `require_search_attributes`.

    """
    await require_namespace(client)
    await require_search_attributes(client)
    await warn_of_retention(client, submission_lookback)


async def require_namespace(client: Client) -> None:
    """Ask the server for the namespace, as far as we may.

    Raises:
        NoSuchNamespace: there is none of this name.

    """
    try:
        await read_retention(client)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise

        raise NoSuchNamespace(
            f"the Temporal server at {client.service_client.config.target_host} has no namespace "
            f"{client.namespace}; create it with `temporal operator namespace create --namespace "
            f"{client.namespace} --retention {_UNDO_HOURS}`, or set TEMPORAL_NAMESPACE to yours"
        ) from error


async def require_search_attributes(client: Client) -> None:
    """Create what is missing of our search attributes, and wait until it can be used.

    Raises:
        NamespaceNotReady: attributes are missing and may not be created, or have another type.

    """
    present = await read_search_attributes(client)
    # Before creating: the server accepts a second registration of another type and ignores it.
    if problem := describe_wrong_types(client.namespace, present):
        raise NamespaceNotReady(problem)

    missing = [name for name in names.SEARCH_ATTRIBUTES if name not in present]
    if missing:
        await _create(client, missing)
        await _wait_until_usable(client, missing)


async def read_search_attributes(client: Client) -> Mapping[str, str]:
    """Read which of our search attributes exist: their types by name."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        response = await client.operator_service.list_search_attributes(request)
    except RPCError as error:
        if error.status not in REFUSED:
            raise

        return {
            name: kind
            for name, kind in names.SEARCH_ATTRIBUTES.items()
            if await _can_filter(client, name)
        }

    return {
        name: _type_name(kind)
        for name, kind in response.custom_attributes.items()
        if name in names.SEARCH_ATTRIBUTES
    }


def describe_wrong_types(namespace: str, present: Mapping[str, str]) -> str | None:
    """Say which attributes have a type that clawback cannot use; None if all are right."""
    wrong = {name: kind for name, kind in present.items() if names.SEARCH_ATTRIBUTES[name] != kind}
    if not wrong:
        return None

    found = ", ".join(
        f"{name} is {kind}, not {names.SEARCH_ATTRIBUTES[name]}" for name, kind in wrong.items()
    )
    remove = " ".join(f"--name {name}" for name in wrong)
    return (
        f"search attributes of namespace {namespace} have the wrong type ({found}); remove them "
        f"with `temporal operator search-attribute remove --namespace {namespace} {remove}` and "
        "start again, or use another namespace"
    )


def describe_missing(namespace: str, missing: list[str]) -> str:
    """Say which attributes are missing, and how to create them on a server and on Cloud."""
    types = names.SEARCH_ATTRIBUTES
    create = " ".join(f"--name {name} --type {types[name]}" for name in missing)
    cloud = " ".join(f'--search-attribute "{name}={types[name]}"' for name in missing)

    return (
        f"namespace {namespace} lacks search attributes, and this connection may not create them; "
        f"run `temporal operator search-attribute create --namespace {namespace} {create}`, on "
        f"Temporal Cloud `tcld namespace search-attributes add --namespace {namespace} {cloud}`"
    )


async def read_retention(client: Client) -> timedelta | None:
    """Read how long the namespace keeps closed workflows; None if that may not be read."""
    try:
        response = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in REFUSED:
            raise
        return None

    return response.config.workflow_execution_retention_ttl.ToTimedelta()


async def warn_of_retention(client: Client, submission_lookback: timedelta) -> None:
    """Log what the retention of the namespace loses."""
    retention = await read_retention(client)
    if retention and (lost := describe_retention(client.namespace, retention, submission_lookback)):
        log.warning("worker.retention_is_short", problem=LoggableText(lost))


def describe_retention(
    namespace: str, retention: timedelta, submission_lookback: timedelta
) -> str | None:
    """Say what is lost with a retention; None if it keeps all that is promised."""
    kept = format_duration(retention)
    lost = []
    if retention < UNDO_REACH:
        lost.append(f"`clawback undo` and `clawback case show` reach back {kept} after a case ends")

    if retention <= submission_lookback:
        lost.append(
            "a submission that clawback made itself may count as one by people when its review "
            f"takes longer than {kept}"
        )

    if not lost:
        return None

    return (
        f"namespace {namespace} keeps closed workflows for {kept} only: {', and '.join(lost)}; run "
        f"`temporal operator namespace update --namespace {namespace} --retention {_UNDO_HOURS}`"
    )


async def _create(client: Client, missing: list[str]) -> None:
    types = {name: _type_value(names.SEARCH_ATTRIBUTES[name]) for name in missing}
    request = AddSearchAttributesRequest(search_attributes=types, namespace=client.namespace)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status in REFUSED:
            raise NamespaceNotReady(describe_missing(client.namespace, missing)) from error
        # Another worker that starts now may have been faster.
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


async def _wait_until_usable(client: Client, created: list[str]) -> None:
    deadline = time.monotonic() + _USABLE_WITHIN
    for name in created:
        while not await _can_filter(client, name):
            if time.monotonic() > deadline:
                raise NamespaceNotReady(
                    f"the server does not accept the new search attribute {name} of namespace "
                    f"{client.namespace}; check that its visibility store has free columns for it"
                )
            await asyncio.sleep(_LOOK_AGAIN)


async def _can_filter(client: Client, name: str) -> bool:
    try:
        # The server refuses a query with an unknown attribute.
        await client.count_workflows(f"{name} IS NULL")
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        return False

    return True


def _type_value(kind: str) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{_snake(kind)}")


def _type_name(kind: IndexedValueType.ValueType) -> str:
    words = IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


def _snake(kind: str) -> str:
    return "".join(f"_{one}" if one.isupper() else one for one in kind).strip("_").upper()
