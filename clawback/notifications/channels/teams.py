"""Teams: a workflow that posts the Adaptive Card it receives.

Text from mail goes into `TextRun` objects, which Teams never parses as Markdown.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic_core import to_json

from clawback.notifications.channels.base import HttpChannel
from clawback.notifications.rendering import RenderedNotification

_MAX_BYTES = 26 * 1024
"""Teams takes at most 28 KB, of which its own frame is a part."""
_FEW = 2


class TeamsChannel(HttpChannel):
    """A Teams workflow "When a Teams webhook request is received". Takes no screenshots."""

    kind: Literal["teams"]

    def build_request(self, notification: RenderedNotification) -> Mapping[str, Any]:
        return {"json": build_body(notification)}


def build_body(notification: RenderedNotification) -> Mapping[str, Any]:
    """Build a message with one Adaptive Card."""
    lines = [line for line in notification.text.splitlines() if line.strip()]
    body = _build_message(notification, lines)
    while lines and len(to_json(body)) > _MAX_BYTES:
        # In steps, so that a text of thousands of short lines takes no thousands of rounds.
        lines = [*lines[: len(lines) * 3 // 4], "…"] if len(lines) > _FEW else []
        body = _build_message(notification, lines)

    return body


def _build_message(notification: RenderedNotification, lines: Sequence[str]) -> Mapping[str, Any]:
    title = notification.link_label
    actions = (
        [{"type": "Action.OpenUrl", "title": title, "url": notification.link}]
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
