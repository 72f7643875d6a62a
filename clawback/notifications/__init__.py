"""Notifications to people: the operator's channels, rendering, delivery.

Touch it to add a kind of channel (`channels/`), to change a text (`templates/`) or how text from
mail is defanged.
"""

from clawback.notifications.channel_file import ChannelFileError, read_channels, traits_of
from clawback.notifications.channels import Channel, Channels
from clawback.notifications.delivery import Notifier
from clawback.notifications.errors import DeliveryError
from clawback.notifications.rendering import RenderedNotification, render_notification

__all__ = [
    "Channel",
    "ChannelFileError",
    "Channels",
    "DeliveryError",
    "Notifier",
    "RenderedNotification",
    "read_channels",
    "render_notification",
    "traits_of",
]
