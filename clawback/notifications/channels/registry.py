"""The kinds of channels there are."""

from collections.abc import Mapping

from clawback.notifications.channels.base import Channel
from clawback.notifications.channels.mail import MailChannel
from clawback.notifications.channels.slack import SlackChannel
from clawback.notifications.channels.teams import TeamsChannel
from clawback.notifications.channels.webhook import WebhookChannel

CHANNEL_TYPES: tuple[type[Channel], ...] = (WebhookChannel, SlackChannel, TeamsChannel, MailChannel)
Channels = Mapping[str, Channel]
"""The channels of one installation, by name."""
