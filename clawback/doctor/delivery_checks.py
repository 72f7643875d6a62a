"""The deliveries of each channel: when one succeeded or failed last, and a test on request."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from temporalio.client import Client

from clawback.actions import Notify, Occasion
from clawback.cases import NotificationContext, NotificationStep
from clawback.doctor.check import Finding, ok, problem, warning
from clawback.model.durations import format_duration
from clawback.model.suggestions import did_you_mean
from clawback.notifications import (
    ChannelFileError,
    Channels,
    DeliveryError,
    Notifier,
    read_channels,
    render_notification,
)
from clawback.settings import Settings
from clawback.temporal.channel_health import ChannelHealth, read_channel_health

_TEXT = (
    "This is a test of the channel {title}, sent by clawback doctor. There is no such case, and "
    "there is nothing to do."
)


async def check_deliveries(client: Client, settings: Settings) -> Iterable[Finding]:
    """Report the last deliveries of each channel, and what waits.

    Raises:
        RPCError: the server does not answer.

    """
    channels: Channels = {}
    with suppress(ChannelFileError):  # `check_channels` reports it
        channels = await asyncio.to_thread(read_channels, settings.channels)

    now = datetime.now(UTC)
    return [_describe(one, now) for one in await read_channel_health(client, channels)]


def _describe(health: ChannelHealth, now: datetime) -> Finding:
    name = f"deliveries {health.channel}"
    parts = [
        f"last delivered {_age(health.last_success, now)}" if health.last_success else "",
        f"last given up {_age(health.last_failure, now)}" if health.last_failure else "",
        f"{health.waiting:,} being delivered" if health.waiting else "",
        f"{health.quiet:,} wait for the end of quiet hours" if health.quiet else "",
    ]
    found = ", ".join(filter(None, parts)) or "nothing was sent yet"
    if health.is_failing:
        remedy = f"clawback doctor --send-test {health.channel} says why; the audit has the reasons"
        return warning(name, found, remedy)
    return ok(name, found)


def _age(at: datetime, now: datetime) -> str:
    seconds = max(0, round((now - at).total_seconds()))
    return f"{format_duration(timedelta(seconds=seconds))} ago"


async def send_test(file: Path | None, name: str) -> Finding:
    """Send one message that says it is a test, once."""
    check = f"channel {name}"
    try:
        channels = await asyncio.to_thread(read_channels, file)
    except ChannelFileError as error:
        return problem("channels", str(error), "fix the file; a worker does not start with it")

    channel = channels.get(name)
    if channel is None:
        remedy = did_you_mean(name, channels) if channels else "name the file in CLAWBACK_CHANNELS"
        return problem(check, "there is no such channel", remedy)

    try:
        async with Notifier(channels) as notifier:
            refused = await notifier.send(name, render_notification(_build_test(name)))
    except DeliveryError as error:
        reason = error.reason.replace("_", " ")
        remedy = "see docs/operations/channels.md for its settings, and ask the receiver"
        return problem(check, f"{channel.kind}: the test was not delivered: {reason}", remedy)

    host, port = channel.endpoint
    if refused:
        return warning(check, f"{channel.kind}: {refused}", "correct the addresses in `to`")
    return ok(check, f"{channel.kind}: {host}:{port} accepted the test; look whether it is there")


def _build_test(name: str) -> NotificationStep:
    return NotificationStep(
        action=Notify(channel=name, template=_TEXT),
        index=0,
        number=0,
        episode="test",
        context=NotificationContext(
            case="case/test/0000000000000000",
            uid=f"case/test/0000000000000000/{uuid4()}",
            rule="test",
            title=name,
            level="informational",
            occasion=Occasion.DONE,
            at=datetime.now(UTC),
        ),
    )
