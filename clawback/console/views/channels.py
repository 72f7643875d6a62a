"""How well the notification channels deliver, and what each is set up for; no address or secret."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import ShownTime, show_time
from clawback.model.durations import format_duration
from clawback.notifications.channels.base import Channel
from clawback.notifications.quiet_hours import QuietHours
from clawback.temporal.channel_health import ChannelHealth


@dataclass(frozen=True)
class ChannelRow:
    """How well one notification channel delivers."""

    channel: str
    state: str
    tone: str
    last_success: ShownTime | None
    last_failure: ShownTime | None
    waiting: str


@dataclass(frozen=True)
class ChannelSetup:
    """What one channel is set up for, and how well it delivers; None if that is not known now."""

    name: str
    kind: str
    hears: str
    quiet: str
    escalates: str
    row: ChannelRow | None


@dataclass(frozen=True)
class ChannelsView:
    """All channels of the file of this console. `problem` says why there are none."""

    channels: tuple[ChannelSetup, ...]
    note: str
    problem: str


def build_channels(
    channels: Mapping[str, Channel],
    health: Iterable[ChannelHealth] | None,
    now: datetime,
    zone: ZoneInfo,
    problem: str = "",
) -> ChannelsView:
    """Build the page; `health` is None if the server did not answer."""
    rows = {one.channel: build_channel(one, now, zone) for one in health or ()}
    note = "" if health is not None else "The server does not say now how well they deliver."
    if not channels and not problem:
        note = "CLAWBACK_CHANNELS of this console names no channel: nobody is notified by one."
    return ChannelsView(
        channels=tuple(_set_up(name, one, rows.get(name)) for name, one in channels.items()),
        note=note,
        problem=show_mail_text(problem, 2_000),
    )


def build_channel(one: ChannelHealth, now: datetime, zone: ZoneInfo) -> ChannelRow:
    """Build the row of one channel."""
    quiet = f", {one.quiet:,} until quiet hours end" if one.quiet else ""
    was_used = one.last_success is not None or one.last_failure is not None
    tone = "danger-text" if one.is_failing else "good-text"
    return ChannelRow(
        channel=show_mail_text(one.channel),
        state="fails" if one.is_failing else "delivers" if was_used else "not used yet",
        tone=tone if was_used else "",
        last_success=show_time(one.last_success, now, zone) if one.last_success else None,
        last_failure=show_time(one.last_failure, now, zone) if one.last_failure else None,
        waiting=f"{one.waiting:,}{quiet}",
    )


def _set_up(name: str, channel: Channel, row: ChannelRow | None) -> ChannelSetup:
    escalates = ""
    if channel.escalate_to is not None and channel.escalate_after is not None:
        after = format_duration(channel.escalate_after)
        escalates = f"to {channel.escalate_to} if a held case is undecided for {after}"
    return ChannelSetup(
        name=show_mail_text(name),
        kind=channel.kind,
        hears=", ".join(one.replace("_", " ") for one in channel.occasions),
        quiet="; ".join(map(_describe_quiet, channel.quiet_hours)),
        escalates=escalates,
        row=row,
    )


def _describe_quiet(hours: QuietHours) -> str:
    days = " ".join(hours.days)
    return f"{hours.start:%H:%M} to {hours.end:%H:%M} {hours.zone} {days}".strip()
