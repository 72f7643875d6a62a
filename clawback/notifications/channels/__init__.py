"""One module per kind of channel; `registry.py` lists them.

To add a kind, write a module with a subclass of `Channel` (or `HttpChannel`) and list it.
"""

from clawback.notifications.channels.base import Channel
from clawback.notifications.channels.registry import CHANNEL_TYPES, Channels

__all__ = ["CHANNEL_TYPES", "Channel", "Channels"]
