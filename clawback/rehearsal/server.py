"""The Temporal server of a rehearsal: an embedded one of its own, or one that people name.

On a named server a rehearsal uses an empty namespace, and leaves it as it found it.
"""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.batch.v1 import BatchOperationDeletion
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest, StartBatchOperationRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from clawback.local import (
    ChildProcess,
    SetupError,
    TemporalServer,
    fetch,
    free_port,
    run_in_daemon_thread,
    temporal_child,
)
from clawback.rehearsal.counters import sum_actions
from clawback.settings import Settings
from clawback.temporal import names
from clawback.temporal.client import connect
from clawback.temporal.namespace_checks import (
    REFUSED,
    NamespaceNotReady,
    require_search_attributes,
)
from clawback.temporal.reconciliation_gateway import RECONCILIATION_SCHEDULE
from clawback.temporal.watchdog import WATCHDOG_SCHEDULE

_RETENTION = timedelta(days=1)
_USABLE_WITHIN = 30.0
_METRICS_TIMEOUT = 2.0
_LOOK_AGAIN = 0.5


class RehearsalServer(ABC):
    """What a rehearsal needs of a Temporal server."""

    children: tuple[ChildProcess, ...] = ()
    """The processes to run, in start order."""

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """The variables that lead a worker to this server."""

    @abstractmethod
    def connected(self) -> AbstractAsyncContextManager[Client]:
        """Connect once the processes run; clean up at the end of the block."""

    async def count_actions(self) -> int | None:
        """Count the billable actions (as in Temporal Cloud); None if the server does not say."""
        return None


class EmbeddedServer(RehearsalServer):
    """A development server on a database of its own."""

    def __init__(self, settings: Settings, folder: Path, logs: Path) -> None:
        self._settings = settings
        self._server = TemporalServer(folder / "temporal.db", free_port())
        self.children = (temporal_child(self._server, settings, logs),)

    @property
    def environment(self) -> Mapping[str, str]:
        """Its address."""
        return {"TEMPORAL_ADDRESS": self._server.address}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """Connect; nothing needs cleaning up."""
        yield await connect(self._settings, address=self._server.address)

    async def count_actions(self) -> int | None:
        """Read the server's own counter; None while it does not answer."""
        url = f"http://127.0.0.1:{self._server.metrics_port}/metrics"
        try:
            page = (await run_in_daemon_thread(fetch, url, timeout=_METRICS_TIMEOUT)).decode()
        except OSError:
            return None
        return sum_actions(page)


class NamedServer(RehearsalServer):
    """A server that people name, with their TLS and keys (`TEMPORAL_*`).

    Without a namespace it creates one, and deletes it at the end.
    """

    def __init__(self, settings: Settings, address: str, variables: Mapping[str, str]) -> None:
        self._settings = settings
        self._address = address
        self._variables = dict(variables)
        given = self._variables.get("TEMPORAL_NAMESPACE")
        self._is_given = given is not None
        self.namespace = given or f"clawback-rehearsal-{uuid.uuid4().hex[:8]}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of the caller, with address and namespace."""
        chosen = {"TEMPORAL_ADDRESS": self._address, "TEMPORAL_NAMESPACE": self.namespace}
        return {**self._variables, **chosen}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """Connect to an empty namespace, and leave nothing behind.

        Raises:
            TemporalUnreachable: no server answers.
            SetupError: the namespace cannot be used.

        """
        client = await connect(self._settings, address=self._address, namespace=self.namespace)
        if not self._is_given:
            await self._create_namespace(client)

        try:
            await self._require_empty(client)
            await require_search_attributes(client)
        except NamespaceNotReady as error:
            raise SetupError(str(error)) from error

        try:
            yield client
        finally:
            await self._clean(client)

    async def _create_namespace(self, client: Client) -> None:
        retention = Duration(seconds=int(_RETENTION.total_seconds()))
        request = RegisterNamespaceRequest(
            namespace=self.namespace,
            description="a rehearsal of clawback; may be deleted",
            workflow_execution_retention_period=retention,
        )
        try:
            await client.workflow_service.register_namespace(request)
        except RPCError as error:
            if error.status not in REFUSED:
                raise
            raise SetupError(
                f"{self._address} does not let us create a namespace; "
                "set TEMPORAL_NAMESPACE to one without workflows of clawback"
            ) from error

    async def _require_empty(self, client: Client) -> None:
        deadline = time.monotonic() + _USABLE_WITHIN
        while True:
            try:
                found = (await client.count_workflows(names.OUR_WORKFLOWS)).count
                break
            except RPCError as error:
                # Servers notice a new namespace after a few seconds.
                is_new = not self._is_given and error.status is RPCStatusCode.NOT_FOUND
                if not is_new or time.monotonic() > deadline:
                    raise SetupError(
                        f"namespace {self.namespace} of {self._address} cannot be used: "
                        f"{error.message}"
                    ) from error

                await asyncio.sleep(_LOOK_AGAIN)

        if found:
            raise SetupError(
                f"namespace {self.namespace} has {found:,} workflows of clawback, and a rehearsal "
                "needs one without; unset TEMPORAL_NAMESPACE to let it create one"
            )

    async def _clean(self, client: Client) -> None:
        with suppress(RPCError):
            if not self._is_given:
                await client.operator_service.delete_namespace(
                    DeleteNamespaceRequest(namespace=self.namespace)
                )
                return

            for schedule in (WATCHDOG_SCHEDULE, RECONCILIATION_SCHEDULE):
                with suppress(RPCError):
                    await client.get_schedule_handle(schedule).delete()
            await client.workflow_service.start_batch_operation(
                StartBatchOperationRequest(
                    namespace=self.namespace,
                    visibility_query=names.OUR_WORKFLOWS,
                    job_id=f"rehearsal-{uuid.uuid4()}",
                    reason="the rehearsal is over",
                    deletion_operation=BatchOperationDeletion(identity="clawback rehearse"),
                )
            )
