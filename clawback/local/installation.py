"""What `clawback up` runs, decided from the settings.

Which Temporal, which API, which processes, and where each can be looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from temporalio.envconfig import ClientConfigProfile

from clawback.app_files import describe_rules
from clawback.local.child_process import ChildProcess
from clawback.local.preflight import PortWish
from clawback.local.processes import (
    ProcessPlan,
    environment_with,
    simulator_child,
    temporal_child,
    worker_child,
)
from clawback.local.temporal_server import HOST, TemporalServer
from clawback.settings import Settings

DRIP = "12/60"
"""How fast the demo's mail arrives: slow enough to read along, fast enough not to wait."""


@dataclass(frozen=True)
class Installation:
    """One installation on this machine.

    `temporal` is None where TEMPORAL_ADDRESS (or a profile) names a server; `simulator_port` None
    where there is an API to go to.
    """

    settings: Settings
    temporal: TemporalServer | None
    server: str
    simulator_port: int | None

    @property
    def logs(self) -> Path:
        """Where the processes write what they say."""
        return self.settings.folder / "logs"

    @property
    def api_url(self) -> str:
        """The API that the worker uses."""
        return (
            self.settings.api_url
            if self.simulator_port is None
            else f"http://{HOST}:{self.simulator_port}/client/v4"
        )

    @property
    def metrics_url(self) -> str:
        """Where the worker serves its metrics."""
        return f"http://{self.settings.metrics}/metrics"

    @property
    def headline(self) -> str:
        """Say in a few words what this runs against, and how far it may go."""
        effective = self.settings.model_copy(update={"api_url": self.api_url})
        against = (
            "the simulator, with invented mail (no CLOUDFLARE_API_TOKEN is set)"
            if self.simulator_port
            else self.api_url
        )
        account = (
            f", account {self.settings.cloudflare_account_id}"
            if self.settings.cloudflare_account_id
            else ""
        )
        return f"against {against}{account} · mode {effective.ceiling}"

    @property
    def own_ui(self) -> str:
        """Where the embedded server has its web interface; empty where there is none."""
        port = self.temporal.ui_port if self.temporal else None
        return f"http://{HOST}:{port}" if port else ""

    @property
    def ui(self) -> str:
        """Where Temporal's web interface is, as far as is known; empty where it is not."""
        return self.settings.temporal_ui or self.own_ui

    @property
    def places(self) -> dict[str, str]:
        """Where to look for more."""
        ui = {"Temporal UI": self.own_ui} if self.own_ui else {"Temporal": self.server}
        simulator = (
            {"simulator": f"http://{HOST}:{self.simulator_port}/_sim/ledger"}
            if self.simulator_port
            else {}
        )
        return {
            **ui,
            "metrics": self.metrics_url,
            **simulator,
            "audit": str(self.settings.audit_file),
            "logs": str(self.logs),
            "rules": describe_rules(self.settings.rules),
        }

    def ports(self) -> Iterator[PortWish]:
        """Name every port that will be listened on."""
        if self.temporal is not None:
            yield PortWish(
                HOST, self.temporal.port, "the Temporal server", "CLAWBACK_TEMPORAL_PORT"
            )
            if self.temporal.ui_port is not None:
                yield PortWish(HOST, self.temporal.ui_port, "the Temporal UI", "CLAWBACK_UI_PORT")
        if self.simulator_port is not None:
            yield PortWish(HOST, self.simulator_port, "the simulator", "CLAWBACK_SIMULATOR_PORT")
        host, _, port = self.settings.metrics.rpartition(":")
        if host and port.isdecimal():
            yield PortWish(host.strip("[]"), int(port), "/metrics", "CLAWBACK_METRICS")

    def crew(self) -> ProcessPlan:
        """Build the processes, in the order in which they start."""
        return ProcessPlan(tuple(self._children()))

    def _children(self) -> Iterator[ChildProcess]:
        if self.temporal is not None:
            yield temporal_child(self.temporal, self.settings, self.logs)
        if self.simulator_port is not None:
            yield simulator_child(self.simulator_port, ["--drip", DRIP], self.logs)
        changes = {
            "TEMPORAL_ADDRESS": self.server,
            "CLAWBACK_API_URL": self.api_url,
            "CLAWBACK_AUDIT": str(self.settings.audit_file),
            "CLAWBACK_LOG_FORMAT": "json",
            "CLAWBACK_TEMPORAL_UI": self.ui,
        }
        yield worker_child(environment_with(changes), self.settings.metrics, self.logs)


def plan_installation(settings: Settings) -> Installation:
    """Decide what to run: the embedded server unless one is named, the simulator unless there are credentials or one is named."""
    named = ClientConfigProfile.load().address
    temporal = None
    if named is None:
        temporal = TemporalServer(
            settings.folder / "temporal.db", settings.temporal_port, settings.ui_port
        )
    own_simulator = settings.cloudflare_api_token is None and not settings.on_simulator
    return Installation(
        settings=settings,
        temporal=temporal,
        server=named or (temporal.address if temporal else ""),
        simulator_port=settings.simulator_port if own_simulator else None,
    )
