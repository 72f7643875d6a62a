"""Exports spans by OTLP, without the texts of errors: those may quote mail."""

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from requests import Session

from clawback import __version__
from clawback.model.hosts import is_loopback

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_DEFAULT_ENDPOINT = "http://localhost:4318"
_TEXTS = frozenset({"exception.message", "exception.stacktrace"})


def build_provider(service: str) -> TracerProvider:
    """Build what makes spans of a service and exports them as the `OTEL_*` variables say."""
    provider = TracerProvider(resource=_describe(service))
    exporter = PrivateExporter(OTLPSpanExporter(session=_open_session()))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _open_session() -> Session:
    """Open a session that reaches a collector on this machine without a proxy."""
    session = Session()
    url = next(filter(None, map(os.environ.get, _ENDPOINTS)), _DEFAULT_ENDPOINT)
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    return session


def _describe(service: str) -> Resource:
    ours = Resource({"service.name": service, "service.version": __version__})
    # What the environment says comes last, and replaces ours.
    named = Resource.create({})
    stated = {name: value for name, value in named.attributes.items() if value != "unknown_service"}
    return ours.merge(Resource(stated))


class PrivateExporter(SpanExporter):
    """Leaves the messages and stack traces of errors out of the spans that another one exports."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans; their errors keep their type only."""
        return self._exporter.export([_without_texts(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the other exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the other exporter."""
        return self._exporter.force_flush(timeout_millis)


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    if not span.events and not span.status.description:
        return span

    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_without_message(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_message(event: Event) -> Event:
    kept = {name: value for name, value in (event.attributes or {}).items() if name not in _TEXTS}
    return Event(event.name, kept, event.timestamp)
