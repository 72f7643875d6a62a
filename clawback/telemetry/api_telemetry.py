"""Observes API requests: counts and times them, and adds them to the trace they belong to."""

from datetime import timedelta

from clawback.telemetry.api_metrics import ApiMetrics
from clawback.telemetry.tracing import Attributes, Step, add_span


class ApiTelemetry(ApiMetrics):
    """The observer of `clawback.cloudflare` in production."""

    def record_response(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a response, whatever its status."""
        super().record_response(endpoint, status, seconds)
        _add_request(endpoint, seconds, {"http.response.status_code": status})

    def record_failure(self, endpoint: str, error: str, seconds: float) -> None:
        """Count a request without a response; `error` is the class of the failure."""
        super().record_failure(endpoint, error, seconds)
        _add_request(endpoint, seconds, {"error.type": error})


def _add_request(endpoint: str, seconds: float, attributes: Attributes) -> None:
    add_span(Step(f"cloudflare.{endpoint}", timedelta(seconds=seconds)), attributes)
