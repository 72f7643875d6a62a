"""NotificationContext and letters for tests."""

from datetime import UTC, datetime
from typing import Any

from clawback.actions import Notify, Occasion, TellReporter
from clawback.cases import ActionSummary, NotificationContext, NotificationStep
from clawback.notifications import RenderedNotification, render_notification

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def facts(**changes: Any) -> NotificationContext:
    """Build the facts of a case that has moved two messages and failed at one."""
    deeds = (
        ActionSummary(action="move to JunkEmail", outcomes={"moved": 2, "failed:not_found": 1}),
    )
    given = {
        "case": "case/r/0123",
        "uid": "case/r/0123/run",
        "rule": "r",
        "title": "A rule",
        "level": "high",
        "at": NOW,
        "actions": deeds,
    }
    return NotificationContext(
        **{**given, "occasion": Occasion.DONE, "messages": 3, "events": 3, **changes}
    )


def tell(
    notice: Notify | TellReporter | None = None, to: str | None = None, **changes: Any
) -> NotificationStep:
    """Build a notice."""
    return NotificationStep(
        action=notice or Notify(channel="soc"),
        index=0,
        number=0,
        episode="e",
        context=facts(**changes),
        reporter=to,
    )


def letter(
    template: str = "", picture: bytes | None = None, **changes: Any
) -> RenderedNotification:
    """Build a letter."""
    return render_notification(
        tell(Notify(channel="soc", template=template), **changes),
        "https://ui.test/workflows",
        picture,
    )
