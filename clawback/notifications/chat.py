"""Letters as Slack and Teams take them.

Everything that could come out of mail goes in as plain text, which neither reads as markup.
"""

from collections.abc import Mapping
from typing import Any

from clawback.notifications.rendering import RenderedNotification, paragraphs

_SECTION = 2900
_HEADER = 150
_MOST_BLOCKS = 20


def slack_body(letter: RenderedNotification) -> Mapping[str, Any]:
    """Write a letter for an incoming webhook of Slack.

    Blocks of plain text, and an escaped text for where blocks are not shown.
    """
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(letter.subject[:_HEADER])}]
    blocks += [
        {"type": "section", "text": _plain(part)}
        for part in list(paragraphs(letter.text, _SECTION))[:_MOST_BLOCKS]
        if part
    ]
    if letter.link:
        blocks.append(
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": f"<{escaped(letter.link)}|Open the case>"}],
            }
        )
    return {
        "text": escaped(letter.subject),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str) -> str:
    """Escape the three characters that Slack reads as the beginning of links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams_body(letter: RenderedNotification) -> Mapping[str, Any]:
    """Write a letter for a workflow of Teams.

    An Adaptive Card of text runs, which are never read as Markdown.
    """
    lines = [
        _run(letter.subject, weight="Bolder", size="Medium"),
        *(_run(line) for line in letter.text.splitlines() if line.strip()),
    ]
    actions = (
        [{"type": "Action.OpenUrl", "title": "Open the case", "url": letter.link}]
        if letter.link
        else []
    )
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": lines,
        "actions": actions,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}
