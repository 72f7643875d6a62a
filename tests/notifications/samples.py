"""Notifications for tests."""

from datetime import UTC, datetime
from typing import Any

from clawback.actions import Notify, Occasion, TellReporter
from clawback.cases import ActionSummary, NotificationContext, NotificationStep
from clawback.notifications import RenderedNotification, render_notification
from clawback.temporal.console_links import PageLinks

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINKS = PageLinks(console="https://console.test", workflows="https://ui.test/workflows")
KEY = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def build_context(**changes: Any) -> NotificationContext:
    """Build the context of a case that moved two messages and failed to move one."""
    outcomes = {"moved": 2, "failed:not_found": 1}
    defaults = {
        "case": "case/r/0123",
        "uid": "case/r/0123/run",
        "rule": "r",
        "title": "A rule",
        "level": "high",
        "at": NOW,
        "actions": (ActionSummary(action="move to JunkEmail", outcomes=outcomes),),
        "occasion": Occasion.DONE,
        "messages": 3,
        "events": 3,
    }
    return NotificationContext(**{**defaults, **changes})


def build_step(
    action: Notify | TellReporter | None = None, reporter: str | None = None, **changes: Any
) -> NotificationStep:
    return NotificationStep(
        action=action or Notify(channel="soc"),
        index=0,
        number=0,
        episode="e",
        context=build_context(**changes),
        reporter=reporter,
    )


def build_notification(
    template: str = "", screenshot: bytes | None = None, **changes: Any
) -> RenderedNotification:
    return render_notification(
        build_step(Notify(channel="soc", template=template), **changes),
        LINKS,
        screenshot,
    )
