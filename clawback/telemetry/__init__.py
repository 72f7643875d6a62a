"""What the outside can watch of a process: its logs, its metrics, its health.

Nothing here decides anything, or keeps anything.
"""

from clawback.telemetry.logs import configure_logging
from clawback.telemetry.metrics import ApiMetrics
from clawback.telemetry.server import MetricsServer, TelemetryUnavailable, serve_metrics

__all__ = [
    "ApiMetrics",
    "MetricsServer",
    "TelemetryUnavailable",
    "configure_logging",
    "serve_metrics",
]
