"""Every metric of clawback: Prometheus objects that other modules update.

Labels take values from closed sets only, and units are base units. What is not known has no sample:
set a gauge to NaN. Workflow code must not import this, because it replays. `metric_series` starts
the series of label sets that are known. docs/operations/monitoring.md has the table, generated.
"""

import math
import platform
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Metric,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from clawback import __version__
from clawback.telemetry.worker_health import StuckReason

# No `_created` series: one more for every counter, which no query needs.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_LAG_BUCKETS = (
    0.25,
    0.5,
    1,
    2,
    3,
    4,
    5,
    7.5,
    10,
    15,
    30,
    60,
    300,
    900,
    3_600,
    21_600,
    86_400,
    259_200,
)
_REQUEST_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


LABELS: Final[dict[str, tuple[str, ...]]] = {}
"""The labels of each metric, by its name without `_total`."""


def _counter(name: str, help_text: str, *labels: str) -> Counter:
    return Counter(_register(name, labels), help_text, labels, registry=REGISTRY)


def _histogram(name: str, help_text: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(_register(name, labels), help_text, labels, buckets=buckets, registry=REGISTRY)


class KnownGauge(Gauge):
    """A gauge without a sample while its value is NaN: what is not known is not exposed."""

    def collect(self) -> Iterable[Metric]:
        """Collect the samples that have a value."""
        for family in super().collect():
            family.samples = [one for one in family.samples if not math.isnan(one.value)]
            yield family


def _gauge(name: str, help_text: str, *labels: str) -> Gauge:
    return KnownGauge(_register(name, labels), help_text, labels, registry=REGISTRY)


def _info(name: str, help_text: str, *labels: str) -> Info:
    return Info(_register(name, labels), help_text, registry=REGISTRY)


def _register(name: str, labels: tuple[str, ...]) -> str:
    full = f"clawback_{name}"
    LABELS[full.removesuffix("_total")] = labels
    return full


EVENTS_SEEN = _counter(
    "events_seen_total", "Records read from a source for the first time by this process.", "source"
)
EVENTS_REJECTED = _counter(
    "events_rejected_total",
    "Records and matches that nothing can take; the audit holds each.",
    "source",
)
EVENTS_SKIPPED = _counter(
    "events_skipped_total", "Records not evaluated against rules, by reason.", "source", "reason"
)
EVENTS_UNJOINED = _counter(
    "events_unjoined_total",
    "Reports and submissions evaluated without the message they are about.",
    "source",
)
MATCHES = _counter(
    "matches_total", "Events that matched a rule, each counted once by this process.", "rule"
)
MATCHES_SET_ASIDE = _counter(
    "matches_set_aside_total",
    "Matches that their case did not take; they are retried on their own.",
    "source",
)
MATCHES_UNSENT = _counter(
    "matches_unsent_total",
    "Matches that could not be sent to their cases in time; the poller reads them again.",
    "source",
)
ACTIONS = _counter(
    "actions_total", "Outcomes of actions, one per target.", "action", "outcome", "mode"
)
ACTIONS_UNDONE = _counter(
    "actions_undone_total", "Outcomes of a rule that people took back.", "rule"
)
NOTIFICATIONS = _counter(
    "notifications_total",
    "Notifications that were delivered or given up; the channel of reporters is `reporters`, "
    "one that the channel file no longer names `other`.",
    "channel",
    "outcome",
)
NOTIFICATIONS_WAITING = _gauge(
    "notifications_waiting",
    "Notifications that are being delivered or tried again, or wait for the end of quiet hours.",
    "channel",
    "state",
)
API_REQUESTS = _counter(
    "api_requests_total",
    "Requests to the API, by HTTP status or the class of the failure.",
    "endpoint",
    "status",
)
SEARCH_STRANGERS = _counter(
    "search_strangers_total",
    "Messages that a search returned and that are not what was asked for; they are left out.",
)
API_PAGING_TROUBLES = _counter(
    "api_paging_troubles_total",
    "Full pages that named no next page: their window was split, or is partly unseen.",
    "trouble",
)
API_INTERMEDIARIES = _counter(
    "api_intermediary_responses_total",
    "Responses that came from a challenge, proxy or sign-in page instead of the API.",
    "kind",
)
API_REQUEST_DURATION = _histogram(
    "api_request_duration_seconds",
    "Duration of a request to the API.",
    _REQUEST_BUCKETS,
    "endpoint",
)
API_RATE_LIMIT_DELAY_SECONDS = _counter(
    "api_rate_limit_delay_seconds_total",
    "Time that requests waited in this process to stay within the rate limit.",
)
API_RATE_LIMIT_REMAINING = _gauge(
    "api_rate_limit_remaining", "Requests left of the rate limit until its reset, as far as known."
)
API_RATE_LIMIT_RESET_SECONDS = _gauge(
    "api_rate_limit_reset_seconds", "Time until the rate limit starts anew, as far as known."
)
ACTIVITY_RETRIES = _counter(
    "activity_retries_total", "Activity attempts after the first.", "activity"
)
ACTIVITY_FAILURES = _counter(
    "activity_failures_total", "Activity attempts that failed unexpectedly.", "activity"
)
WORKFLOW_TASK_FAILURES = _counter(
    "workflow_task_failures_total",
    "Workflow tasks that failed in this process; the server retries them.",
    "workflow_type",
)
INGEST_DURATION = _histogram(
    "ingest_duration_seconds", "Time from the scan of a message to its ingest.", _LAG_BUCKETS
)
CONTAINMENT_DURATION = _histogram(
    "containment_duration_seconds",
    "Time from when a message could be read to its move. `mode` is `approve` if people approved.",
    _LAG_BUCKETS,
    "mode",
)
POLL_LAG = _gauge(
    "poll_lag_seconds", "Age of the last complete poll of a source: of its live lane.", "source"
)
POLL_LAG_LIMIT = _gauge(
    "poll_lag_limit_seconds",
    "Age at which the last complete poll is overdue: ten intervals, two minutes at least.",
    "source",
)
POLL_PAUSED = _gauge(
    "poll_paused",
    "1 while a person has paused the poller of a source whose last poll is overdue.",
    "source",
)
POLL_BACKLOG = _gauge(
    "poll_backlog_seconds",
    "How much time is left to read beside fresh mail; absent if this process has not read lately.",
    "source",
)
RULES_LOADED = _gauge("rules_loaded", "Rules with a response in the running rule set.")
RULES_REFUSED = _gauge(
    "rules_refused", "1 while the rules on disk are refused and the previous set keeps running."
)
RULES = _info("rules", "The version of the running rule set.", "version")
GUARD_REFUSALS = _counter(
    "guard_refusals_total",
    "Reservations that the guard refused; the case is held, or held already. `cause` says why.",
    "rule",
    "level",
    "budget",
    "cause",
)
GUARD_RESERVE_GRANTS = _counter(
    "guard_reserve_grants_total",
    "Reservations granted out of what is kept for mail to protected people.",
    "rule",
    "budget",
)
RULE_DEMOTED = _gauge(
    "rule_demoted", "1 while a rule asks first because people undid what it did.", "rule"
)
CASES_HELD = _gauge("cases_held", "Cases that wait for a decision of people.", "level")
CASES_HELD_AGE = _gauge(
    "cases_held_age_seconds", "Age of the case that has been open longest among the held ones."
)
CHANNEL_FAILING = _gauge(
    "channel_failing", "1 while the last notification of a channel was given up.", "channel"
)
OWN_DOMAINS = _gauge(
    "own_domains", "Domains of the account, which are never blocked; absent while unknown."
)
BLOCKS_FORBIDDEN = _gauge(
    "blocks_forbidden", "Active blocks of clawback that the never-block list now forbids."
)
POLICIES = _gauge(
    "policies",
    "Entries on the policy lists with our mark, as this process found them in the last day.",
    "state",
)
WORKER_STUCK = _gauge(
    "worker_stuck", "1 while this worker is stuck; `/healthz` says where.", "reason"
)
BUILD_CURRENT = _gauge("build_current", "1 while new work goes to the build of this worker.")
WORKFLOWS_ABANDONED = _gauge(
    "workflows_abandoned", "Open workflows that wait for a build which no worker runs."
)
CONTAINMENT_STOPPED = _gauge(
    "containment_stopped", "1 while the kill switch is on, the guard is lost or cannot be read."
)
GUARD_LOSSES = _counter(
    "guard_losses_total",
    "Times that this process found the guard ended, missing, reset or from an older database.",
    "reason",
)
PAYLOADS_REFUSED = _counter(
    "payloads_refused_total",
    "Payloads from Temporal that our keys did not encrypt for their workflow; each counts once.",
    "reason",
)
AUDIT_RECORDS = _counter("audit_records_total", "Records written to the audit log.", "kind")
AUDIT_FAILURES = _counter(
    "audit_failures_total", "Writes to the audit log that failed; what waits for them is repeated."
)
AUDIT_SEQUENCE = _gauge(
    "audit_sequence", "Number of the last line of the audit log, as it was last published."
)
AUDIT_HEAD = _info(
    "audit_head", "The published head of the audit log; new every five minutes at most.", "head"
)
AUDIT_UNSHIPPED_SECONDS = _gauge(
    "audit_unshipped_seconds",
    "Age of the oldest line of the audit log that the collector does not have; 0 if it has all.",
)
STATE_BYTES = _gauge(
    "state_bytes",
    "Size of what the state folder holds: the database of the embedded server, audit files.",
    "part",
)
DISK_FREE_BYTES = _gauge("disk_free_bytes", "Free space where the state folder is.")
DISK_BYTES = _gauge("disk_size_bytes", "Size of the file system of the state folder.")
CREDENTIAL_EXPIRY = _gauge(
    "credential_expiry_timestamp_seconds",
    "When a credential of this worker expires, as far as it says so itself.",
    "credential",
)
SECRET_UNREADABLE = _gauge(
    "secret_unreadable",
    "1 while a file of a secret cannot be used: the last good value, if any, stays in use.",
    "secret",
)
BUILD = _info("build", "The running version.", "version", "python")
BUILD.info({"version": __version__, "python": platform.python_version()})


# What is not known yet; zero would look like an audit that has lost its lines, or no domain.
for unknown in (AUDIT_SEQUENCE, OWN_DOMAINS, CASES_HELD_AGE, DISK_FREE_BYTES, DISK_BYTES):
    unknown.set(math.nan)


def show_failed_tasks(failing: Callable[[], str | None]) -> None:
    """Show as a stuck worker that a background task fails; `failing` says which, if any."""
    gauge = WORKER_STUCK.labels(StuckReason.TASK_FAILED.value)
    gauge.set_function(lambda: failing() is not None)
