"""Teams: a workflow that posts the Adaptive Card it receives.

Text from mail goes into `TextRun` objects, which Teams never parses as Markdown.
"""

from collections.abc import Mapping
from typing import Any, Literal

from clawback.notifications.channels.base import HttpChannel
from clawback.notifications.rendering import RenderedNotification


class TeamsChannel(HttpChannel):
    """A Teams workflow "When a Teams webhook request is received". Takes no screenshots."""

    kind: Literal["teams"]

    def build_request(self, notification: RenderedNotification) -> Mapping[str, Any]:
        return {"json": build_body(notification)}


def build_body(notification: RenderedNotification) -> Mapping[str, Any]:
    """Build a message with one Adaptive Card."""
    lines = [line for line in notification.text.splitlines() if line.strip()]
    actions = (
        [{"type": "Action.OpenUrl", "title": "Open the case", "url": notification.link}]
        if notification.link
        else []
    )
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            _text_block(notification.subject, weight="Bolder", size="Medium"),
            *(_text_block(line) for line in lines),
        ],
        "actions": actions,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }

    return {"type": "message", "attachments": [attachment]}


def _text_block(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}
