"""Traces from the page of a poll to the containment, sent to a collector over HTTP."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import PayloadConverter

from clawback.case_files.case_file import CaseFile
from clawback.model.audit_record import RecordKind
from clawback.simulator import outbreak
from clawback.telemetry.tracing import current_trace_id, start_tracing, trace, tracer
from clawback.temporal.trace_interceptor import HEADER, CarrierConverter, TraceInterceptor
from tests.http_server import serving
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_case import simulated


class Collector(BaseHTTPRequestHandler):
    """Keeps the spans that it gets."""

    spans: list[Span]

    def do_POST(self) -> None:
        """Take an export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Span]]:
    """Trace this process; all spans are in the list when the block has been left."""
    spans: list[Span] = []
    with serving(type("Own", (Collector,), {"spans": spans})) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        stop = start_tracing("otlp", "clawback-test")
        try:
            yield spans
        finally:
            stop()


async def test_one_trace_leads_from_the_page_to_the_move(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetch, evaluation, signal, reservation and move are in the trace that the audit names."""
    lines = list(outbreak(1))
    with traced(monkeypatch) as spans:
        ours = tracer()
        assert ours is not None
        options: Any = {**temporal.config(), "interceptors": [TraceInterceptor(ours)]}
        client = Client(**options)
        async with deployed(client, simulated(lines), tmp_path) as deployment:
            await deployment.poll()
            await deployment.idle()
            [acted] = await eventually(lambda: _traces(deployment))
            [case_id] = {one.case for one in deployment.audit() if one.trace_id and one.case}
            file = CaseFile(await deployment.cases.status(case_id), run="")

    assert ("trace", acted) in list(file.lines(datetime.now(UTC)))
    assert file.as_json()["trace_id"] == acted
    assert "index_key" not in file.as_json()
    names = [span.name for span in spans if span.trace_id.hex() == acted]
    for name in (
        "poll.matched",
        "poll.fetch",
        "rules.evaluate",
        "SignalWithStartWorkflow:case",
        "RunWorkflow:case",
        "RunActivity:guard.reserve_and_move",
        "cloudflare.investigate/move",
    ):
        assert name in names, " ".join(sorted(names))
    # Nothing of the mail is in any span, and nothing but a match begins a trace.
    subject = lines[0]["message"]["subject"].encode()
    assert not any(subject in span.SerializeToString() for span in spans)
    assert {span.name for span in spans if not span.parent_span_id} == {"poll.matched"}


async def _traces(deployment: Deployment) -> set[str] | None:
    """Read the traces in which moves are recorded; None until there are any."""
    moves = [one for one in deployment.audit() if one.kind is RecordKind.ACTED]
    return {one.trace_id for one in moves if one.trace_id} or None


async def test_spans_keep_the_type_of_an_error_and_not_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an error says may quote mail."""
    with (
        traced(monkeypatch) as spans,
        pytest.raises(ValueError, match="Invoice"),
        trace("poll.matched", {}),
    ):
        raise ValueError("Invoice of ceo@corp.example")

    [span] = spans
    assert [one.key for one in span.events[0].attributes] == ["exception.type", "exception.escaped"]
    assert span.status.code == 2
    assert b"Invoice" not in span.SerializeToString()


def test_tracing_is_off_by_default() -> None:
    """Without the setting there is no tracer, and a trace is nothing."""
    start_tracing("off", "clawback-test")()
    with trace("poll.matched", {}):
        assert current_trace_id() is None
    assert tracer() is None


@pytest.mark.parametrize("content", [b"\xff", b"[]", b'{"traceparent": 7}', b'"x"', b"{" * 5000])
def test_a_header_that_is_no_trace_context_is_none(content: bytes) -> None:
    """Anybody in the namespace can send one; it must not fail the tasks of a case."""
    header = Payload(metadata={"encoding": b"json/plain"}, data=content)
    assert CarrierConverter().from_payloads([header]) == [{}]


def test_a_header_of_the_sdk_is_read() -> None:
    """The interceptors of other SDKs write the same header."""
    carrier = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    [header] = PayloadConverter.default.to_payloads([carrier])
    assert HEADER == "_tracer-data"
    assert CarrierConverter().from_payloads([header]) == [carrier]
