"""Checks the channels that rules name: they exist, and can carry the notification."""

from collections.abc import Iterator, Mapping

from clawback.actions import ACTIONS, ChannelTraits, NotificationAction
from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.loaded import Loaded, LoadedRule

Channels = Mapping[str, ChannelTraits]
"""The configured channels, by name."""


def check_reporters(rule: LoadedRule, problems: Problems) -> None:
    """Refuse to notify reporters of events that name none."""
    for action, place in _notifications(rule):
        if action.event_kinds and rule.kind and rule.kind not in action.event_kinds:
            message = "only submissions name a reporter"
            problems.add(
                place,
                Code.ACTION,
                message,
                text=action.name,
                remedy="write the rule for submissions, or notify a channel",
            )


def check_channels(loaded: Loaded, channels: Channels, found: Problems) -> None:
    """Refuse unknown channels, and channels that cannot carry the notification."""
    for rule in loaded.rules:
        for action, place in _notifications(rule):
            traits = channels.get(action.channel)
            if traits is None:
                known = (
                    f"configured: {', '.join(channels)}"
                    if channels
                    else "none is configured: CLAWBACK_CHANNELS is not set"
                )
                remedy = "add the channel to the file that CLAWBACK_CHANNELS names, or use another"
                found.add(
                    place,
                    Code.ACTION,
                    f"unknown channel {action.channel}; {known}",
                    text=action.channel,
                    remedy=remedy,
                )
            elif (problem := action.channel_problem(traits)) is not None:
                message, remedy = problem
                found.add(place, Code.ACTION, message, text=action.channel, remedy=remedy)


def _notifications(rule: LoadedRule) -> Iterator[tuple[NotificationAction, Place]]:
    if rule.response is None or rule.read.response is None:
        return

    places = (
        rule.document.value_at("response", "actions", index, name)
        for index, item in enumerate(rule.read.response.actions)
        for name in item
        if issubclass(ACTIONS[name], NotificationAction)
    )
    yield from zip(rule.response.notifications, places, strict=True)
