"""What keeps the metrics of a worker up to date beside its work."""

from collections.abc import Awaitable, Callable, Iterable

from temporalio.client import Client

from clawback.model.events import EventKind
from clawback.services.case_monitor import monitor_cases
from clawback.services.channel_monitor import monitor_channels
from clawback.services.credential_metrics import publish_expiries
from clawback.services.poll_monitor import PollMonitor
from clawback.services.storage_metrics import publish_storage
from clawback.settings import Settings
from clawback.telemetry.metric_series import initialise_channels
from clawback.telemetry.supervisor import BackgroundTask
from clawback.temporal.poller_gateway import PollerGateway


def begin_monitoring(
    settings: Settings, client: Client, channels: Iterable[str]
) -> dict[BackgroundTask, Callable[[], Awaitable[None]]]:
    """Publish what is read at each scrape; return what must run for the rest, until cancelled."""
    channels = tuple(channels)
    initialise_channels(channels)
    publish_storage(settings)
    publish_expiries(client.service_client.config)
    intervals = {source: settings.interval_of(source) for source in EventKind}
    return {
        BackgroundTask.POLLS: PollMonitor(PollerGateway(client), intervals).watch,
        BackgroundTask.HELD_CASES: lambda: monitor_cases(client),
        BackgroundTask.CHANNELS: lambda: monitor_channels(client, channels),
    }
