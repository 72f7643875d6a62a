"""Where and when a notification goes: now, or after quiet hours; and to whom if nobody answers."""

from datetime import datetime

from clawback.actions import Occasion
from clawback.cases import NotificationStep
from clawback.model.durations import Duration
from clawback.model.level import Level
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime
from clawback.notifications.channels import Channel, Channels
from clawback.notifications.quiet_hours import find_quiet_end


class RouteRequest(Payload):
    """What decides about the way of a notification; `at` is when it is due.

    `answer_by` is when a case that it reports as held stops waiting.
    """

    channel: str
    level: Level = Level.MEDIUM
    at: UtcDatetime
    is_for_reporter: bool = False
    is_held: bool = False
    answer_by: UtcDatetime | None = None

    @classmethod
    def of(cls, step: NotificationStep, at: datetime) -> "RouteRequest":
        """Ask about a notification."""
        return cls(
            channel=step.action.channel,
            level=Level(step.context.level) if step.context.level else Level.MEDIUM,
            at=at,
            is_for_reporter=step.reporter is not None,
            is_held=step.context.occasion is Occasion.HELD,
            answer_by=step.context.answer_by,
        )


class Route(Payload):
    """The way of a notification. `quiet_until` is set if it waits for the digest.

    If a held case is still undecided `escalate_after` it could be read, `escalate_to` is told.
    """

    quiet_until: UtcDatetime | None = None
    escalate_to: str = ""
    escalate_after: Duration | None = None


def find_route(channels: Channels, request: RouteRequest) -> Route:
    """Find the way of a notification by the channel file.

    A reporter gets mail at any time. A held case that expires during quiet hours does not wait.
    """
    channel = channels.get(request.channel)
    if channel is None or request.is_for_reporter:
        return Route()

    until = _quiet_until(channel, request)
    if not request.is_held or channel.escalate_to is None:
        return Route(quiet_until=until)
    return Route(
        quiet_until=until,
        escalate_to=channel.escalate_to,
        escalate_after=channel.escalate_after,
    )


def _quiet_until(channel: Channel, request: RouteRequest) -> datetime | None:
    until = find_quiet_end(channel.quiet_hours, request.at, request.level)
    expires = request.answer_by if request.is_held else None
    return None if until and expires and expires <= until else until
