"""The metrics page, read as a Prometheus server reads it."""

import gzip
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as text_string_to_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from activities import activity_types
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.rules import load_rules
from clawback.telemetry import (
    ApiMetrics,
    TelemetryUnavailable,
    exemplars,
    metric_series,
    metrics,
    serve_metrics,
)
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.telemetry.exposition import render_page
from clawback.telemetry.runtime import build_runtime
from tests.telemetry.log_capture import captured_logs, log_lines
from workflows import workflow_types

ROOT = Path(__file__).parents[2]


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _openmetrics(page: str) -> Iterable[Metric]:
    """Read a page as strictly as the reference parser does."""
    families: Iterable[Metric] = text_string_to_openmetrics(page)  # type: ignore[no-untyped-call]
    return families


async def test_one_page_holds_the_metrics_of_clawback_and_of_the_sdk() -> None:
    """The page parses, no family appears twice, and both sets are on it."""
    runtime, scrape = build_runtime()
    with pytest.raises(RuntimeError):  # nothing listens on port 1; the SDK counts the attempt
        await Client.connect("127.0.0.1:1", runtime=runtime, rpc_metadata={})
    runtime.metric_meter.create_counter("temporal_probe", "made here").add(3)
    with serve_metrics("127.0.0.1:0", [scrape]) as server:
        status, page = _get(server.port, "/metrics")
    families = list(text_string_to_metric_families(page))
    assert status == 200
    assert max(Counter(family.name for family in families).values()) == 1
    values = {sample.name: sample.value for family in families for sample in family.samples}
    assert values["temporal_probe_total"] == 3
    assert values["clawback_build_info"] == 1


def test_names_follow_the_conventions() -> None:
    """Each metric of clawback has the prefix, a unit or `_total`, and a sentence of help."""
    for family in metrics.REGISTRY.collect():
        if not family.name.startswith("clawback_"):
            continue
        exposed = {
            sample.name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            for sample in family.samples
        }
        assert family.documentation.endswith(".")
        assert all(
            name.endswith(
                (
                    "_total",
                    "_seconds",
                    "_info",
                    "_loaded",
                    "_refused",
                    "_remaining",
                    "_stopped",
                    "_domains",
                    "_forbidden",
                    "_stuck",
                    "_current",
                    "_abandoned",
                    "_policies",
                    "_sequence",
                    "_waiting",
                    "_bytes",
                    "_held",
                    "_paused",
                    "_demoted",
                    "_failing",
                    "_unreadable",
                )
            )
            for name in exposed
        ), exposed


@pytest.mark.parametrize("source", list(EventKind))
def test_closed_label_sets_exist_from_the_start(source: EventKind) -> None:
    """A rate or an increase sees the first rejected record, too."""
    labels = {"source": source.value}
    assert metrics.REGISTRY.get_sample_value("clawback_events_rejected_total", labels) is not None
    for outcome in ("failed", "denied", "moved"):
        labels = {"action": "move", "outcome": outcome, "mode": "enforce"}
        assert metrics.REGISTRY.get_sample_value("clawback_actions_total", labels) is not None
    refused = {"endpoint": "investigate/move", "status": "403"}
    assert metrics.REGISTRY.get_sample_value("clawback_api_requests_total", refused) is not None


def test_every_counter_with_labels_has_series_before_anything_happens() -> None:
    """With the names that a worker tells, no counter is left that appears with its first event."""
    metric_series.initialise_names(activity_types(), workflow_types())
    metric_series.initialise_rules(load_rules(ROOT / "rules"))
    metric_series.initialise_channels(["soc"])
    counters = [one for one in metrics.REGISTRY.collect() if one.type == "counter"]
    assert len(counters) > 20
    assert [one.name for one in counters if not one.samples] == []


def test_a_loaded_rule_has_the_series_that_its_actions_can_reach() -> None:
    """Its budgets by the causes that the guard may state, and nothing that it cannot spend."""
    rules = load_rules(ROOT / "rules")
    metric_series.initialise_rules(rules)
    rule = next(one for one in rules.rules.values() if one.response and not one.response.limits)
    labels = {"rule": rule.name, "level": rule.level.value, "budget": "messages"}
    found = metrics.REGISTRY.get_sample_value(
        "clawback_guard_refusals_total", {**labels, "cause": "rule_budget"}
    )
    own_limit = metrics.REGISTRY.get_sample_value(
        "clawback_guard_refusals_total", {**labels, "cause": "rule_limit"}
    )
    assert (found, own_limit) == (0, None)
    assert metrics.REGISTRY.get_sample_value("clawback_matches_total", {"rule": rule.name}) == 0


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        ("moved", "moved"),
        ("failed:denied", "denied"),
        ("failed:expired", "expired"),
        ("failed:cancelled", "cancelled"),
        ("failed:rule_budget", "withheld"),
        ("failed:status_500", "failed"),
        ("failed:Access denied: a text of the API", "failed"),
    ],
)
def test_what_people_decided_is_no_failure(outcome: str, label: str) -> None:
    """A denied or expired case and a refusal of the guard count apart from failures."""
    assert metric_series.outcome_label(outcome) == label


def test_the_client_observer_counts_responses_failures_and_delays() -> None:
    """`ApiMetrics` turns what the client reports into counters."""

    def value(name: str, **labels: str) -> float:
        return metrics.REGISTRY.get_sample_value(name, labels) or 0.0

    before = value("clawback_api_rate_limit_delay_seconds_total")
    observer = ApiMetrics()
    observer.record_response("investigate.probe", 429, 0.2)
    observer.record_failure("investigate.probe", "timeout", 3)
    observer.record_delay(1.5)
    assert value("clawback_api_requests_total", endpoint="investigate.probe", status="429") == 1
    assert value("clawback_api_requests_total", endpoint="investigate.probe", status="timeout") == 1
    duration = "clawback_api_request_duration_seconds_sum"
    assert value(duration, endpoint="investigate.probe") == pytest.approx(3.2)
    assert value("clawback_api_rate_limit_delay_seconds_total") - before == 1.5


def test_openmetrics_is_served_compressed_and_with_the_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scraper that asks for OpenMetrics gets a valid page of both registries, with exemplars."""
    monkeypatch.setattr(exemplars, "current_trace_id", lambda: "4bf92f3577b34da6a3ce929d0e0e4736")
    ApiMetrics().record_response("investigate.traced", 200, 0.2)
    runtime, scrape = build_runtime()
    runtime.metric_meter.create_counter("temporal_probe", "made here").add(3)
    asked = {
        "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
        "Accept-Encoding": "gzip",
    }
    with serve_metrics("127.0.0.1:0", [scrape]) as server:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers=asked)
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own URL
            packed, headers = answer.read(), answer.headers
    page = gzip.decompress(packed).decode()
    families = {family.name: family for family in _openmetrics(page)}
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert len(packed) < len(page) / 8
    assert [sample.value for sample in families["temporal_probe"].samples] == [3]
    traced = [
        sample.exemplar.labels
        for sample in families["clawback_api_request_duration_seconds"].samples
        if sample.exemplar and sample.labels["endpoint"] == "investigate.traced"
    ]
    assert traced == [{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}]


def test_openmetrics_leaves_out_a_page_that_fails() -> None:
    """OpenMetrics knows no comments: one would make the whole page invalid."""

    def broken() -> bytes:
        raise ConnectionRefusedError

    _, page = render_page(metrics.REGISTRY, [broken], "application/openmetrics-text;version=1.0.0")
    assert "clawback_rules_loaded" in {one.name for one in _openmetrics(page.decode())}


def test_a_page_that_fails_is_replaced_by_a_comment() -> None:
    """It costs its own metrics only, and the rest still parses."""

    def broken() -> bytes:
        raise ConnectionRefusedError

    with serve_metrics("127.0.0.1:0", [broken]) as server:
        status, page = _get(server.port, "/metrics")
    assert status == 200
    assert "clawback_rules_loaded" in {
        family.name for family in text_string_to_metric_families(page)
    }
    assert "page unavailable: ConnectionRefusedError" in page


def test_health_reports_the_problem() -> None:
    """`/healthz` is 200 while healthy and 503 with the reason otherwise."""
    problems: list[str] = []
    with serve_metrics("127.0.0.1:0", health=lambda: problems[0] if problems else None) as server:
        assert _get(server.port, "/healthz") == (200, "ok\n")
        problems.append("the worker is not polling")
        assert _get(server.port, "/healthz") == (503, "the worker is not polling\n")
        assert _get(server.port, "/else")[0] == 404


@pytest.mark.parametrize("host", ["[::1]", "[::]", "127.0.0.1", "localhost"])
def test_pages_are_served_at_addresses_of_both_kinds(host: str) -> None:
    """An address of IPv6 stands in brackets, and that of all interfaces takes IPv4 too."""
    with serve_metrics(f"{host}:0") as server:
        asked = ["127.0.0.1"] if host == "[::]" else []
        for one in (*asked, host.replace("[::]", "[::1]")):
            with urllib.request.urlopen(f"http://{one}:{server.port}/healthz", timeout=5) as answer:
                assert answer.read() == b"ok\n"


def test_head_answers_as_get_without_a_body() -> None:
    """Load balancers ask so; the status and the length are those of the page."""
    with serve_metrics("127.0.0.1:0", health=lambda: "it is stuck") as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
        found = {}
        for path in ("/healthz", "/metrics", "/else"):
            connection.request("HEAD", path)
            with closing(connection.getresponse()) as answer:
                found[path] = answer.status
                assert (answer.read(), int(answer.headers["content-length"]) > 0) == (b"", True)
    assert found == {"/healthz": 503, "/metrics": 200, "/else": 404}


def test_a_port_in_use_is_reported_in_one_sentence() -> None:
    """The error names the address and the setting to change."""
    with serve_metrics("127.0.0.1:0") as server, pytest.raises(TelemetryUnavailable) as refused:
        serve_metrics(f"127.0.0.1:{server.port}")
    assert str(refused.value).count("\n") == 0
    assert f"127.0.0.1:{server.port}: address already in use; set CLAWBACK_METRICS" in str(
        refused.value
    )


@pytest.mark.parametrize("address", ["9464", "localhost", "localhost:http", "127.0.0.1:99999", ""])
def test_an_invalid_address_is_refused(address: str) -> None:
    """Anything but `host:port` is refused with an example."""
    with pytest.raises(TelemetryUnavailable, match=r"such as 127\.0\.0\.1:9464"):
        serve_metrics(address)


def test_whoever_asks_and_goes_leaves_nothing_in_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A probe with a short timeout resets the connection before the page is written."""
    asked, gone = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def scrape() -> bytes:
        threads.append(threading.current_thread())
        asked.set()
        gone.wait(10)
        return b"# x\n" * 1_000_000

    with captured_logs() as stream, serve_metrics("127.0.0.1:0", [scrape]) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert asked.wait(10)
            # Reset, not closed: the next write of the server fails.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.set()
        threads[0].join(10)
    assert capfd.readouterr().err == ""
    assert stream.getvalue() == ""


def test_a_page_that_fails_is_one_event_of_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Not a traceback between JSON lines."""

    def broken() -> str | None:
        raise ValueError

    with (
        captured_logs() as stream,
        serve_metrics("127.0.0.1:0", health=broken) as server,
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.recv(1) == b""
    assert capfd.readouterr().err == ""
    assert [line["event"] for line in log_lines(stream)] == ["metrics.request_failed"]


def test_notifications_are_counted_by_channel_and_reporters_as_one() -> None:
    """A series for each reporter would be one for each hash."""
    metric_series.initialise_channels(["soc"])

    def count(channel: str, outcome: str) -> float | None:
        labels = {"channel": channel, "outcome": outcome}
        return metrics.REGISTRY.get_sample_value("clawback_notifications_total", labels)

    before = count("soc", "failed") or 0
    for target in ("soc", "reporter/0123456789ab"):
        record = AuditRecord(
            id=target,
            at=datetime.now(UTC),
            kind=RecordKind.NOTIFIED,
            action="notify",
            target=target,
            outcome="failed:status_404",
        )
        ActivityTelemetry().record_audit([record])
    assert count("soc", "failed") == before + 1
    assert count("reporters", "failed")
    assert count("reporter/0123456789ab", "failed") is None
