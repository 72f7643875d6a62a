"""Telling people: channels that the operator has set up, what is said, and how it gets there.

Changes nothing that is told of.

Secrets (addresses of webhooks, keys, passwords) stand in the operator's file or environment: never
in rules, histories, logs or a `repr`.
"""

from clawback.notifications.channels import (
    Channel,
    Channels,
    ChannelsError,
    MailChannel,
    kinds_of,
    read_channels,
)
from clawback.notifications.delivery import Notifier
from clawback.notifications.errors import NotDelivered
from clawback.notifications.rendering import RenderedNotification, render_notification

__all__ = [
    "Channel",
    "Channels",
    "ChannelsError",
    "MailChannel",
    "NotDelivered",
    "Notifier",
    "RenderedNotification",
    "kinds_of",
    "read_channels",
    "render_notification",
]
