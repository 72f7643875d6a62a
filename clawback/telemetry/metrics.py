"""Every metric of clawback's own, each an object that is written to where the thing happens.

Labels come from closed sets alone.

Workflow code must not import this: it replays. Units are base units; docs/operations.md says what
each one means.
"""

import platform
from collections.abc import Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from clawback import __version__

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_LAG = (0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60, 300, 900, 3_600, 21_600, 86_400, 259_200)
_REQUEST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


LABELS: Final[dict[str, tuple[str, ...]]] = {}
"""The labels of each metric, by its name without `_total`."""


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(_named(name, labels), says, labels, registry=REGISTRY)


def _histogram(name: str, says: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(_named(name, labels), says, labels, buckets=buckets, registry=REGISTRY)


def _gauge(name: str, says: str, *labels: str) -> Gauge:
    return Gauge(_named(name, labels), says, labels, registry=REGISTRY)


def _info(name: str, says: str, *labels: str) -> Info:
    return Info(_named(name, labels), says, registry=REGISTRY)


def _named(name: str, labels: tuple[str, ...]) -> str:
    full = f"clawback_{name}"
    LABELS[full.removesuffix("_total")] = labels
    return full


EVENTS_SEEN = _counter(
    "events_seen_total", "Records read from a source for the first time by this process.", "source"
)
EVENTS_REJECTED = _counter(
    "events_rejected_total", "Records that could not be understood; each is in the audit.", "source"
)
EVENTS_SKIPPED = _counter(
    "events_skipped_total",
    "Records that rules were not asked about, by reason.",
    "source",
    "reason",
)
EVENTS_ALONE = _counter(
    "events_alone_total",
    "Reports and submissions that rules saw without the message they are about.",
    "source",
)
MATCHES = _counter(
    "matches_total", "Events that matched a rule, each counted once by this process.", "rule"
)
ACTIONS = _counter(
    "actions_total",
    "Outcomes of actions, one for each message or case acted on.",
    "action",
    "outcome",
    "mode",
)
API_REQUESTS = _counter(
    "api_requests_total",
    "Requests to the API, by the answer's status or the kind of failure.",
    "endpoint",
    "status",
)
API_REQUEST_SECONDS = _histogram(
    "api_request_seconds",
    "Time from sending a request to its answer or failure.",
    _REQUEST,
    "endpoint",
)
API_PACED_SECONDS = _counter(
    "api_paced_seconds_total", "Time requests waited in this process to stay under the rate limit."
)
API_REQUESTS_LEFT = _gauge(
    "api_requests_left", "What is known to be left of the rate limit until its reset."
)
ACTIVITY_RETRIES = _counter(
    "activity_retries_total", "Activity attempts after the first.", "activity"
)
SEEN_LAG = _histogram(
    "seen_lag_seconds", "From when a message was scanned to when clawback saw it.", _LAG
)
ACT_LAG = _histogram(
    "act_lag_seconds", "From when clawback saw a message to when its action was accepted.", _LAG
)
POLL_LAG = _gauge("poll_lag_seconds", "Age of the last complete poll of a source.", "source")
RULES_LOADED = _gauge("rules_loaded", "Rules in the set that is running.")
RULES_REFUSED = _gauge(
    "rules_refused", "1 while the rules on the disk are refused and the former set runs on."
)
RULES = _info("rules", "The version of the set that is running.", "version")
GUARD_REFUSALS = _counter(
    "guard_refusals_total",
    "Acts that the guard did not grant, so that their case is held.",
    "rule",
    "spend",
)
FALSE_POSITIVES = _counter(
    "false_positives_total", "Things that a rule did and people took back.", "rule"
)
OWN_DOMAINS = _gauge(
    "own_domains", "Domains of the account that are never blocked; -1 while they could not be read."
)
BLOCKS_FORBIDDEN = _gauge(
    "blocks_forbidden",
    "Blocks of ours that stand although the never-block list forbids them by now.",
)
STOPPED = _gauge("stopped", "1 while the kill switch is on and nothing is contained.")
AUDIT_RECORDS = _counter("audit_records_total", "Records written to the audit.", "kind")
BUILD = _info("build", "What is running.", "version", "python")
BUILD.info({"version": __version__, "python": platform.python_version()})


class ApiMetrics:
    """Counts and times what the API client does; an observer of `clawback.cloudflare`."""

    def record_response(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer, of whatever status."""
        API_REQUESTS.labels(endpoint, str(status)).inc()
        API_REQUEST_SECONDS.labels(endpoint).observe(seconds)

    def record_failure(self, endpoint: str, error: str, seconds: float) -> None:
        """Count a request without an answer; `error` is one of a few words that say why."""
        API_REQUESTS.labels(endpoint, error).inc()
        API_REQUEST_SECONDS.labels(endpoint).observe(seconds)

    def record_delay(self, seconds: float) -> None:
        """Count the wait of a request for its turn under the rate limit."""
        API_PACED_SECONDS.inc(seconds)
