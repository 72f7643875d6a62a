"""Whom rules tell: whether the channels they name are there, take what is sent, and whether there is anybody to tell."""

from collections.abc import Iterator, Mapping

from clawback.actions import ACTIONS, ChannelKind, NotificationAction
from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.loaded import Loaded, LoadedRule

Channels = Mapping[str, ChannelKind]
"""The channels that an operator has set up, by name."""


def check_reporters(rule: LoadedRule, problems: Problems) -> None:
    """Refuse to tell the reporter of what names none."""
    for notice, place in _notifications(rule):
        if notice.event_kinds and rule.kind and rule.kind not in notice.event_kinds:
            message = "only a submission says who reported it: there is nobody to tell"
            problems.add(
                place,
                Code.ACTION,
                message,
                text=notice.name,
                remedy="write the rule for submissions, or notify a channel",
            )


def check_channels(loaded: Loaded, channels: Channels, found: Problems) -> None:
    """Refuse what names a channel that is not there, or that cannot do what is asked of it."""
    for rule in loaded.rules:
        for notice, place in _notifications(rule):
            kind = channels.get(notice.channel)
            if kind is None:
                there = (
                    f"there are {', '.join(channels)}"
                    if channels
                    else "there are none: CLAWBACK_CHANNELS names no file of channels"
                )
                remedy = "set the channel up in the file that CLAWBACK_CHANNELS names, or name one that is there"
                found.add(
                    place,
                    Code.ACTION,
                    f"there is no channel {notice.channel}; {there}",
                    text=notice.channel,
                    remedy=remedy,
                )
            elif (problem := notice.channel_problem(kind)) is not None:
                message, remedy = problem
                found.add(place, Code.ACTION, message, text=notice.channel, remedy=remedy)


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
