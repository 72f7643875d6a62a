"""What others can observe of a process: logs, metrics, health. It decides and keeps nothing.

Touch it to add a metric or to change what may be logged.
"""

from clawback.telemetry.api_metrics import ApiMetrics
from clawback.telemetry.logs import configure_logging
from clawback.telemetry.server import (
    MetricsServer,
    TelemetryUnavailable,
    join_health,
    serve_metrics,
)

__all__ = [
    "ApiMetrics",
    "MetricsServer",
    "TelemetryUnavailable",
    "configure_logging",
    "join_health",
    "serve_metrics",
]
