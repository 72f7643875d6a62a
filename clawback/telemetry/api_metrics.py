"""Counts and times API requests; the observer of `clawback.cloudflare`."""

from clawback.model.intermediary import Intermediary
from clawback.telemetry import metrics
from clawback.telemetry.exemplars import exemplar


class ApiMetrics:
    """Counts and times API requests."""

    def record_response(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a response, whatever its status."""
        metrics.API_REQUESTS.labels(endpoint, str(status)).inc()
        metrics.API_REQUEST_DURATION.labels(endpoint).observe(seconds, exemplar())

    def record_intermediary(self, endpoint: str, kind: Intermediary, seconds: float) -> None:
        """Count an answer of an intermediary; its status says nothing about the API."""
        metrics.API_INTERMEDIARIES.labels(kind.value).inc()
        self.record_failure(endpoint, "Intermediary", seconds)

    def record_failure(self, endpoint: str, error: str, seconds: float) -> None:
        """Count a request without a response; `error` is the class of the failure."""
        metrics.API_REQUESTS.labels(endpoint, error).inc()
        metrics.API_REQUEST_DURATION.labels(endpoint).observe(seconds, exemplar())

    def record_delay(self, seconds: float) -> None:
        """Add the time that the rate limiter delayed a request."""
        metrics.API_RATE_LIMIT_DELAY_SECONDS.inc(seconds)

    def record_paging(self, trouble: str) -> None:
        """Count a full page that named no next page."""
        metrics.API_PAGING_TROUBLES.labels(trouble).inc()
