"""What `clawback up` runs, derived from the settings: Temporal, API, processes, ports."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from temporalio.envconfig import ClientConfigProfile

from clawback.app_files import describe_rules
from clawback.codec import CodecServer, ui_origins
from clawback.codec.sign_in import build_gate
from clawback.identity.errors import IdentityError
from clawback.local.child_process import ChildProcess
from clawback.local.preflight import RequiredPort
from clawback.local.processes import (
    ProcessGroup,
    console_child,
    environment_with,
    simulator_child,
    temporal_child,
    worker_child,
)
from clawback.local.temporal_server import HOST, TemporalServer
from clawback.model.hosts import split_address
from clawback.settings import Settings, SettingsError
from clawback.temporal.client import chosen_namespace, read_live_keys
from clawback.temporal.console_links import local_console
from clawback.temporal.installation_keys import key_file

DEMO_RATE = "12/60"
"""Messages per seconds of the demo: slow enough to read along, fast enough not to wait."""


@dataclass(frozen=True)
class Installation:
    """One installation on this machine.

    `temporal` is None if TEMPORAL_ADDRESS or a profile names a server, `simulator_port` None if
    there is an API to use.
    """

    settings: Settings
    temporal: TemporalServer | None
    server: str
    simulator_port: int | None

    @property
    def logs(self) -> Path:
        """The folder of the process logs."""
        return self.settings.folder / "logs"

    @property
    def api_url(self) -> str:
        """The API that the worker uses."""
        if self.simulator_port is None:
            return self.settings.api_url
        return f"http://{HOST}:{self.simulator_port}/client/v4"

    @property
    def metrics_url(self) -> str:
        """The worker's `/metrics`."""
        return f"http://{self.settings.metrics}/metrics"

    @property
    def console_url(self) -> str:
        """Where people reach the console."""
        return self.settings.console_url or f"http://{self.settings.console}"

    @property
    def headline(self) -> str:
        """The API, the account and the ceiling of this installation, in a few words."""
        against, account = self.api_url, ""
        if self.simulator_port:
            against = "the simulator, with synthetic mail (no CLOUDFLARE_API_TOKEN is set)"
        if self.settings.cloudflare_account_id:
            account = f", account {self.settings.cloudflare_account_id}"

        effective = self.settings.model_copy(update={"api_url": self.api_url})
        return f"against {against}{account} · mode {effective.ceiling}"

    @cached_property
    def codec(self) -> CodecServer | None:
        """What shows payloads in the web interface of the embedded server, if it has keys."""
        if self.temporal is None or (keys := read_live_keys(self.settings)) is None:
            return None
        # It imports what verifies tokens, and most commands need no codec server.
        from clawback.identity.configuration import bearer_tokens  # noqa: PLC0415 - see above

        try:
            gate = build_gate(keys.ring, bearer_tokens(self.settings))
        except IdentityError as error:
            raise SettingsError(str(error)) from error
        return CodecServer(keys, ui_origins(self.settings), chosen_namespace(), gate)

    @property
    def own_ui(self) -> str:
        """The web interface of the embedded server, or an empty string."""
        port = self.temporal.ui_port if self.temporal else None
        return f"http://{HOST}:{port}" if port else ""

    @property
    def ui(self) -> str:
        """Temporal's web interface if it is known, or an empty string."""
        return self.settings.temporal_ui or self.own_ui

    @property
    def locations(self) -> dict[str, str]:
        """URLs and paths that people may want to look at, by name."""
        locations = {"Temporal UI": self.own_ui} if self.own_ui else {"Temporal": self.server}
        locations["console"] = self.console_url
        locations["metrics"] = self.metrics_url
        if self.simulator_port:
            locations["simulator"] = f"http://{HOST}:{self.simulator_port}/_sim/ledger"

        return {
            **locations,
            "audit": str(self.settings.audit_file),
            "logs": str(self.logs),
            "rules": describe_rules(self.settings.rules),
        }

    def require_own_server(self) -> None:
        """Keep a demo away from servers that people named.

        Raises:
            SettingsError: there are no credentials, and the environment names a server.

        """
        if self.simulator_port is not None and self.temporal is None:
            raise SettingsError(
                "TEMPORAL_ADDRESS: a demo, without CLOUDFLARE_API_TOKEN, never uses a server of "
                f"yours ({self.server}); set the credentials, or unset the address"
            )

    def ports(self) -> Iterator[RequiredPort]:
        """Yield every port that will be bound."""
        if (temporal := self.temporal) is not None:
            server = "the Temporal server"
            yield RequiredPort(HOST, temporal.port, server, "CLAWBACK_TEMPORAL_PORT")
            if temporal.ui_port is not None:
                yield RequiredPort(HOST, temporal.ui_port, "the Temporal UI", "CLAWBACK_UI_PORT")
            if self.settings.encryption != "off":
                host, codec_port = split_address(self.settings.codec)
                yield RequiredPort(host, codec_port, "the codec server", "CLAWBACK_CODEC")

        if (port := self.simulator_port) is not None:
            yield RequiredPort(HOST, port, "the simulator", "CLAWBACK_SIMULATOR_PORT")

        host, console_port = split_address(self.settings.console)
        yield RequiredPort(host, console_port, "the console", "CLAWBACK_CONSOLE")

        host, _, metrics_port = self.settings.metrics.rpartition(":")
        if host and metrics_port.isdecimal():
            yield RequiredPort(host.strip("[]"), int(metrics_port), "/metrics", "CLAWBACK_METRICS")

    def processes(self) -> ProcessGroup:
        """Build the processes, in start order."""
        return ProcessGroup(tuple(self._children()))

    def _children(self) -> Iterator[ChildProcess]:
        if self.temporal is not None:
            codec = None if self.codec is None else f"http://{self.settings.codec}"
            server = replace(self.temporal, codec_url=codec)
            yield temporal_child(server, self.settings, self.logs)
        if self.simulator_port is not None:
            yield simulator_child(self.simulator_port, ["--drip", DEMO_RATE], self.logs)

        changes = {
            "TEMPORAL_ADDRESS": self.server,
            "CLAWBACK_API_URL": self.api_url,
            "CLAWBACK_AUDIT": str(self.settings.audit_file),
            "CLAWBACK_AUDIT_KEY_FILE": str(self.settings.audit_key),
            "CLAWBACK_LOG_FORMAT": "json",
            "CLAWBACK_TEMPORAL_UI": self.ui,
        }
        if console := self.settings.console_url or local_console(self.settings):
            changes["CLAWBACK_CONSOLE_URL"] = console
        if (file := key_file(self.settings)) is not None:
            changes["CLAWBACK_ENCRYPTION_KEY_FILE"] = str(file)
        if self.temporal is not None:
            # Nobody else works for this server, and the code of an older build is gone (ADR 30).
            changes["CLAWBACK_UPGRADE"] = "restart"
        environment = environment_with(changes)
        yield worker_child(environment, self.settings.metrics, self.logs)
        yield console_child(environment, self.settings.console, self.logs)


def plan_installation(settings: Settings) -> Installation:
    """Derive what to run from the settings.

    The embedded server runs unless the environment names one; the simulator runs unless there are
    credentials or the API URL names one.
    """
    named = ClientConfigProfile.load().address
    runs_simulator = settings.cloudflare_api_token is None and not settings.on_simulator
    temporal = None
    if named is None:
        database = settings.folder / "temporal.db"
        temporal = TemporalServer(database, settings.temporal_port, settings.ui_port)

    return Installation(
        settings=settings,
        temporal=temporal,
        server=named or (temporal.address if temporal else ""),
        simulator_port=settings.simulator_port if runs_simulator else None,
    )
