"""Telling people: channels that the operator has set up, what is said, and how it gets there. Changes nothing that is told of.

Secrets (addresses of webhooks, keys, passwords) stand in the operator's file or environment: never in rules, histories, logs or a `repr`.
"""

from clawback.notify.channels import Channel, Channels, ChannelsError, MailChannel, kinds_of, read_channels
from clawback.notify.delivery import Notifier
from clawback.notify.errors import NotDelivered
from clawback.notify.letters import Letter, letter_of

__all__ = [
    "Channel",
    "Channels",
    "ChannelsError",
    "Letter",
    "MailChannel",
    "NotDelivered",
    "Notifier",
    "kinds_of",
    "letter_of",
    "read_channels",
]
