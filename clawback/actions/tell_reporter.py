"""`tell_reporter`: write to the users whose submissions led to the case."""

from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.base import ChannelName, ChannelTraits, NotificationAction, Occasion
from clawback.actions.notify import LONGEST_TEMPLATE
from clawback.model.events import EventKind


class TellReporter(NotificationAction):
    """Write to each user whose submission led to the case, once, after all other actions.

    Only addresses in the account's own domains are written to.
    """

    templated_fields: ClassVar[tuple[str, ...]] = ("subject", "template")
    event_kinds: ClassVar[frozenset[EventKind] | None] = frozenset({EventKind.SUBMISSION})
    is_for_reporters: ClassVar[bool] = True

    name: Literal["tell_reporter"] = "tell_reporter"
    channel: ChannelName = Field(
        description="A channel of kind mail; its own receivers get nothing"
    )
    subject: str = Field(
        default="", max_length=200, description="The subject; words as in the template"
    )
    template: str = Field(
        default="", max_length=LONGEST_TEMPLATE, description="The text; as for notify"
    )

    @property
    def subject_template(self) -> str:
        return self.subject

    def is_due_on(self, occasion: Occasion) -> bool:
        return occasion is Occasion.DONE

    def channel_problem(self, traits: ChannelTraits) -> tuple[str, str] | None:
        if traits.supports_reporters:
            return None
        return (
            f"channel {self.channel} is of kind {traits.kind}, which cannot write to a reporter",
            "name a channel of kind mail",
        )

    def describe(self) -> str:
        return f"tell the reporter by {self.channel} when done"
