"""Exemplars: the trace in which something was observed, for histograms and OpenMetrics."""

from clawback.telemetry.tracing import current_trace_id


def exemplar() -> dict[str, str] | None:
    """Return the labels of an exemplar; None while no trace is recorded."""
    trace = current_trace_id()
    return {"trace_id": trace} if trace else None
