"""Renders the digest of a channel: one message for all that waited during quiet hours."""

from collections.abc import Iterator
from datetime import datetime

from clawback.cases.digest import Digest, DigestDelivery, WaitingNotification
from clawback.model.texts import plural
from clawback.notifications.rendering import MAX_TEXT, RenderedNotification
from clawback.temporal.console_links import PageLinks

_ROOM = MAX_TEXT - 500
"""Bytes of the lines; the rest is for what is said about those that have no line."""


def render_digest(
    delivery: DigestDelivery, links: PageLinks, audit_head: str = ""
) -> RenderedNotification:
    """Render a digest. Its subjects are rendered already, so they are harmless."""
    digest = delivery.digest
    total = len(digest.waiting) + digest.refused
    text = "\n".join(
        (*_lines(digest, delivery.at), *([f"Audit head: {audit_head}"] * bool(audit_head)))
    )
    return RenderedNotification(
        id=delivery.id,
        subject=f"{plural(total, 'notification')} from quiet hours",
        text=text,
        at=delivery.at,
        digest=digest,
        link=links.inbox_page,
        link_label="Open the inbox",
        audit_head=audit_head,
    )


def _lines(digest: Digest, at: datetime) -> Iterator[str]:
    yield f"What came during quiet hours, as it was then; it is now {at:%Y-%m-%d %H:%M} UTC:"
    room, shown = _ROOM, 0
    for one in digest.waiting:
        line = _describe(one)
        room -= len(line.encode())
        if not one.subject or room < 0:
            break
        shown += 1
        yield line

    if more := len(digest.waiting) - shown:
        yield f"and {more:,} more"
    if digest.refused:
        yield f"and {digest.refused:,} for which the digest had no room"


def _describe(one: WaitingNotification) -> str:
    return f"{one.at:%m-%d %H:%M} {one.subject}" + (f" {one.link}" if one.link else "")
