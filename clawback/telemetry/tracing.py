"""OpenTelemetry traces, from the page of a poll to the containment; off unless a setting asks.

A trace begins where matches leave a page for their case, or where a correlation opens one, and
goes through the headers of Temporal into the case, its activities and the requests of those. What
has no trace begins none: a quiet poll costs no span. Attributes name sources, rules, cases and
endpoints, and never anything from mail.

OpenTelemetry is the extra `tracing`. Nothing here imports it before `start_tracing` does.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from clawback.model.loggable import LoggableError

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
TraceExporter = Literal["off", "otlp"]
_NANOSECONDS = 1_000_000_000


class TracingUnavailable(LoggableError, RuntimeError):
    """Traces are asked for, and the packages that make them are not installed."""


class Step(NamedTuple):
    """What took some time, and how long."""

    name: str
    took: timedelta


@dataclass
class _State:
    tracer: "Tracer | None" = None


_state = _State()


def start_tracing(exporter: TraceExporter, service: str) -> Callable[[], None]:
    """Export the traces of this process; return what sends the last ones at the end.

    `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`,
    `OTEL_RESOURCE_ATTRIBUTES` and the other standard variables say where, how and how many.
    `OTEL_SERVICE_NAME` replaces `service`.

    Raises:
        TracingUnavailable: OpenTelemetry is not installed.

    """
    if exporter == "off":
        return _do_nothing

    try:
        from clawback.telemetry.trace_export import build_provider  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise TracingUnavailable(
            f"CLAWBACK_TRACING={exporter} needs the package {error.name}: install "
            "clawback[tracing], or set CLAWBACK_TRACING=off"
        ) from error

    provider = build_provider(service)
    _state.tracer = provider.get_tracer("clawback")

    def stop() -> None:
        _state.tracer = None
        provider.shutdown()

    return stop


def tracer() -> "Tracer | None":
    """Return the tracer of this process; None if traces are off."""
    return _state.tracer


def current_trace_id() -> str | None:
    """Return the id of the trace that the caller is in, 32 hex digits; None if it is in none."""
    if _state.tracer is None:
        return None

    from opentelemetry import trace  # noqa: PLC0415 - an extra

    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


@contextmanager
def trace(name: str, attributes: Attributes, steps: Sequence[Step] = ()) -> Iterator[None]:
    """Begin a trace of its own, which the caller is in; does nothing if traces are off.

    `steps` are what came just before and belongs to it, in order.
    """
    if (ours := _state.tracer) is None:
        yield
        return

    from opentelemetry.context import Context  # noqa: PLC0415 - an extra

    began = time.time_ns() - sum(map(_nanoseconds, steps))
    with ours.start_as_current_span(name, Context(), attributes=attributes, start_time=began):
        for step in steps:
            ended = began + _nanoseconds(step)
            ours.start_span(step.name, start_time=began).end(ended)
            began = ended
        yield


def add_span(step: Step, attributes: Attributes) -> None:
    """Add what has just ended to the trace that the caller is in, if it is in one."""
    if (ours := _state.tracer) is None or current_trace_id() is None:
        return

    now = time.time_ns()
    ours.start_span(step.name, attributes=attributes, start_time=now - _nanoseconds(step)).end(now)


def _nanoseconds(step: Step) -> int:
    return int(step.took.total_seconds() * _NANOSECONDS)


def _do_nothing() -> None:
    """End what never began."""
