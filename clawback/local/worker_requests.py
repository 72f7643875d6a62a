"""How many requests the worker on this machine sent, from its `/metrics`."""

from contextlib import suppress
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from clawback.local.installation import plan_installation
from clawback.local.processes import fetch
from clawback.local.status_collector import parse_worker_metrics
from clawback.reports.numbers import RequestsUsed
from clawback.settings import Settings

_STARTED = "process_start_time_seconds"


def read_requests_used(settings: Settings) -> RequestsUsed | None:
    """Read them, and since when they are counted; None if no worker answers here."""
    with suppress(OSError, ValueError):
        return parse_requests_used(fetch(plan_installation(settings).metrics_url).decode())
    return None


def parse_requests_used(page: str) -> RequestsUsed | None:
    """Parse a page in the Prometheus text format; None if it does not say when it began."""
    samples = (one for family in text_string_to_metric_families(page) for one in family.samples)
    started = next((one.value for one in samples if one.name == _STARTED), None)
    if started is None:
        return None
    return RequestsUsed(parse_worker_metrics(page).requests, datetime.fromtimestamp(started, UTC))
