"""Every panel, alert and recording rule is answered by a real Prometheus that scrapes a worker."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities import activity_types
from bench.prometheus import Prometheus, prometheus_program, run_prometheus
from clawback.model.events import EventKind
from clawback.model.mode import Mode
from clawback.rules import load_rules
from clawback.telemetry import ApiMetrics, metric_series, metrics, serve_metrics
from tests.deploy.test_deploy import DASHBOARDS, ROOT, panels
from tests.waiting import wait_until
from workflows import workflow_types

SDK_PAGE = b"""# TYPE temporal_worker_task_slots_available gauge
temporal_worker_task_slots_available{worker_type="ActivityWorker"} 7
"""
"""What the dashboards show of the Temporal SDK."""
VARIABLES = {"$__rate_interval": "5s", "$installation": ".*", "$instance": ".*"}


def expressions(dashboard: Path) -> dict[str, str]:
    """Return the queries of a dashboard by panel, with the variables as Grafana sets them."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels(dashboard)
        for target in panel.get("targets", ())
    }
    annotations = json.loads(dashboard.read_text())["annotations"]["list"]
    found |= {f"annotation {one['name']}": one["expr"] for one in annotations}
    for name, value in VARIABLES.items():
        found = {title: query.replace(name, value) for title, query in found.items()}
    return found


def observe_something() -> None:
    """Give every metric that is not counted from zero a value, and let containments happen."""
    metric_series.initialise_names(activity_types(), workflow_types())
    metric_series.initialise_rules(load_rules(ROOT / "rules"))
    metric_series.initialise_channels(["soc"])
    metrics.RULES.info({"version": "1"})
    metrics.AUDIT_HEAD.info({"head": "1"})
    for gauge in (
        metrics.AUDIT_SEQUENCE,
        metrics.OWN_DOMAINS,
        metrics.CASES_HELD_AGE,
        metrics.DISK_FREE_BYTES,
        metrics.DISK_BYTES,
    ):
        gauge.set(7)
    for source in EventKind:
        for gauge in (metrics.POLL_LAG, metrics.POLL_LAG_LIMIT, metrics.POLL_BACKLOG):
            # What another test showed by a function, a value does not replace.
            gauge.labels(source.value).set_function(lambda: 3.0)
    metrics.NOTIFICATIONS_WAITING.labels("soc", "waiting").set(0)
    metrics.STATE_BYTES.labels("database").set(1)
    metrics.CREDENTIAL_EXPIRY.labels("temporal_api_key").set(time.time())
    metrics.SECRET_UNREADABLE.labels("temporal_api_key").set(0)


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    """Run a Prometheus with the shipped rules, all evaluated each second."""
    if prometheus_program() is None:
        pytest.skip("prometheus is not installed (Debian: apt install prometheus)")

    def each_second(rules: dict[str, Any]) -> dict[str, Any]:
        groups = [{**group, "interval": "1s"} for group in rules["groups"]]
        return {**rules, "groups": groups}

    observe_something()
    with (
        serve_metrics("127.0.0.1:0", [lambda: SDK_PAGE]) as server,
        run_prometheus({f"127.0.0.1:{server.port}": "test"}, each_second) as running,
    ):
        yield running


def _observe_containment() -> None:
    metrics.CONTAINMENT_DURATION.labels(Mode.ENFORCE.value).observe(40)
    metrics.INGEST_DURATION.observe(1)
    ApiMetrics().record_response("investigate", 200, 0.1)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_every_panel_has_data(prometheus: Prometheus, dashboard: Path) -> None:
    """Each query of a panel gives at least one series, and each annotation can be asked."""
    left = expressions(dashboard)
    assert len(left) > 15
    for title in [title for title in left if title.startswith("annotation ")]:
        prometheus.query(left.pop(title))

    def all_answered() -> bool:
        _observe_containment()
        answered = [title for title, query in left.items() if prometheus.query(query)]
        for title in answered:
            del left[title]
        return not left

    wait_until(all_answered, explain=lambda: f"no data: {sorted(left)}")


def test_every_rule_can_be_evaluated(prometheus: Prometheus) -> None:
    """No alert and no recording rule fails on the series of a worker."""
    wait_until(
        lambda: not prometheus.unhealthy_rules(), explain=lambda: str(prometheus.unhealthy_rules())
    )
