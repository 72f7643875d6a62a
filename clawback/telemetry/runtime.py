"""The Temporal SDK's runtime: its metrics on our `/metrics`, its log in ours. One per process."""

import logging
import socket
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from temporalio import activity, workflow
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from clawback.telemetry.exposition import Scrape
from clawback.telemetry.server import TelemetryUnavailable

_ATTEMPTS = 5


class Telemetry(NamedTuple):
    """The runtime to connect with, and the function that reads its metrics."""

    runtime: Runtime
    scrape: Scrape


def build_runtime(labels: Mapping[str, str] = MappingProxyType({})) -> Telemetry:
    """Build the runtime. It serves its metrics on a free loopback port, where `scrape` reads them.

    Durations are in seconds, counters end in `_total`, and names hold units, as in our own metrics.
    `labels` are on all of them.

    Raises:
        TelemetryUnavailable: no port is free.

    """
    # Ids belong into fields of the log event, not into its text.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    for _ in range(_ATTEMPTS):
        address = f"127.0.0.1:{_free_port()}"
        # Another process may take the port between our probe and the SDK's bind.
        with suppress(ValueError):
            return Telemetry(
                _runtime(address, labels), partial(_fetch, f"http://{address}/metrics")
            )

    raise TelemetryUnavailable(
        "no free port on 127.0.0.1 for the metrics of the Temporal SDK; free some ports"
    )


def _runtime(address: str, labels: Mapping[str, str]) -> Runtime:
    metrics = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )
    forwarding = LogForwardingConfig(
        logger=logging.getLogger("temporalio.core"),
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,  # fields may quote payloads
    )
    log = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding
    )

    return Runtime(telemetry=TelemetryConfig(metrics=metrics, logging=log, global_tags=labels))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _fetch(url: str) -> bytes:
    # No proxy of the environment can reach a port of this process.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=2) as answer:
        body: bytes = answer.read()
    return body
