"""Telling people: what a rule may say to whom.

Nothing here changes a mailbox, so it spends nothing and nobody is asked.

Rules name a channel; where it leads to, and its secrets, are the operator's
(`clawback.notifications.channels`). People are told after the work, wherever in its list a rule has
these.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from clawback.actions.scope import Scope
from clawback.model.payload import Payload

_LONGEST_TEMPLATE = 4000

CASE_WORDS: Mapping[str, str] = {
    "case": "the id of the case",
    "rule": "the name of the rule",
    "title": "the title of the rule",
    "level": "the level of the rule",
    "occasion": "why people are told: held, done, denied or expired",
    "summary": "what happened, in one sentence",
    "done": "what was really done, action by action, with counts",
    "messages": "how many messages the case has",
    "events": "how many events it has",
    "sender": "who sent the first message",
    "mailbox": "whose mailbox the first message came to",
    "reason": "why it is held, or was denied",
    "approved_by": "who approved or denied it",
    "link": "the case in the Temporal UI, where `CLAWBACK_TEMPORAL_UI` says where that is",
}
"""What `{word}` stands for in the template of a notice, besides the fields of `group-by`, which come first where both have a name."""


class Occasion(StrEnum):
    """When people are told: the case waits for them, its work is done, or it ended without."""

    HELD = "held"
    DONE = "done"
    DENIED = "denied"
    EXPIRED = "expired"


class ChannelKind(StrEnum):
    """The ways there are to reach people."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"
    MAIL = "mail"

    @property
    def takes_pictures(self) -> bool:
        """Whether a picture can go along: incoming webhooks of Slack and Teams take none."""
        return self in {ChannelKind.WEBHOOK, ChannelKind.MAIL}


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Occasions = Annotated[
    tuple[Occasion, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_many, json_schema_input_type=Occasion | list[Occasion]),
]
ChannelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class Notify(Payload):
    """Tell a channel what was really done, once the work is done.

    Changes nothing, costs nothing, needs nobody's leave; nothing to undo.
    """

    scope: ClassVar[Scope] = Scope.CASE
    operations: ClassVar[tuple[str, ...]] = ("preview", "make_preview")
    name: Literal["notify"] = "notify"
    channel: ChannelName = Field(
        description="The channel, by the name it has in the operator's file of channels"
    )
    when: Occasions = Field(
        default=(Occasion.HELD, Occasion.DONE, Occasion.EXPIRED),
        description="On which occasions: the case is held, its work is done, it was denied, nobody answered in time",
    )
    template: str = Field(
        default="",
        max_length=_LONGEST_TEMPLATE,
        description="The text; {field} takes a group-by field or a word of the case",
    )
    screenshot: bool = Field(
        default=False,
        description="Send a picture of the first message along; webhook and mail alone take one",
    )


class TellReporter(Payload):
    """Write to the user whose submission led to the case, once the work is done.

    Each once, and only within the account's own domains.
    """

    scope: ClassVar[Scope] = Scope.CASE
    operations: ClassVar[tuple[str, ...]] = ()
    name: Literal["tell_reporter"] = "tell_reporter"
    channel: ChannelName = Field(
        description="The channel it goes by, which must be one for mail; whom it names as receivers gets nothing"
    )
    subject: str = Field(
        default="", max_length=200, description="The subject; words as in the template"
    )
    template: str = Field(
        default="", max_length=_LONGEST_TEMPLATE, description="The text; as for notify"
    )
    screenshot: ClassVar[bool] = False


NotificationAction = Annotated[Notify | TellReporter, Field(discriminator="name")]
"""Anything that tells people."""


def texts_of(notice: NotificationAction) -> tuple[str, ...]:
    """The texts of a notice in which `{word}` stands for something."""
    return (notice.template,) if isinstance(notice, Notify) else (notice.subject, notice.template)
