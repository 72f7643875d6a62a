"""Slack: an app with an incoming webhook.

Text from mail goes into `plain_text` objects, which Slack never parses as markup.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from clawback.notifications.channels.base import HttpChannel
from clawback.notifications.rendering import RenderedNotification

# Limits of Block Kit: a section takes 3,000 characters, a header 150, a message 50 blocks, and the
# URL of a button 3,000. A longer one makes Slack refuse the whole message.
_MAX_SECTION = 2900
_MAX_HEADER = 150
_MAX_SECTIONS = 20
_MAX_URL = 3000


class SlackChannel(HttpChannel):
    """A channel of a Slack workspace. Incoming webhooks take no files, so no screenshots."""

    kind: Literal["slack"]

    def build_request(self, notification: RenderedNotification) -> Mapping[str, Any]:
        return {"json": build_body(notification)}


def build_body(notification: RenderedNotification) -> Mapping[str, Any]:
    """Build blocks of plain text, and an escaped `text` for clients that show no blocks."""
    header = {"type": "header", "text": _plain_text(notification.subject[:_MAX_HEADER])}
    sections = [
        {"type": "section", "text": _plain_text(part)}
        for part in list(split_text(notification.text, _MAX_SECTION))[:_MAX_SECTIONS]
        if part
    ]

    blocks: list[dict[str, Any]] = [header, *sections]
    if notification.link and len(notification.link) <= _MAX_URL:
        blocks.append({"type": "actions", "elements": [_button(notification)]})

    return {
        "text": escape(notification.subject),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escape(text: str) -> str:
    """Escape the three characters with which Slack's markup starts links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def split_text(text: str, limit: int) -> Iterator[str]:
    """Split a text into parts of at most `limit` characters, at line ends where possible."""
    while len(text) > limit:
        line_end = text.rfind("\n", 1, limit)
        cut = line_end if line_end > 0 else limit
        yield text[:cut].strip("\n")
        text = text[cut:].lstrip("\n")

    if text:
        yield text.strip("\n")


def _button(notification: RenderedNotification) -> dict[str, Any]:
    """A button that opens a page. Nothing is decided by a click in Slack."""
    return {
        "type": "button",
        "action_id": "open",
        "text": _plain_text(notification.link_label),
        "url": notification.link,
        "style": "primary",
    }


def _plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
