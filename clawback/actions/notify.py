"""`notify`: tell a channel what happened."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from clawback.actions.base import ChannelName, ChannelTraits, NotificationAction, Occasion

LONGEST_TEMPLATE = 4000


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Occasions = Annotated[
    tuple[Occasion, ...],
    Field(min_length=1),
    BeforeValidator(_as_sequence, json_schema_input_type=Occasion | list[Occasion]),
]


class Notify(NotificationAction):
    """Tell a channel what happened, after all other actions. Nothing to undo."""

    operations: ClassVar[tuple[str, ...]] = ("preview", "make_preview")
    templated_fields: ClassVar[tuple[str, ...]] = ("template",)

    name: Literal["notify"] = "notify"
    channel: ChannelName = Field(
        description="The name of the channel in the operator's channel file"
    )
    when: Occasions = Field(
        default=(Occasion.HELD, Occasion.DONE, Occasion.EXPIRED),
        description="The occasions: the case is held, its actions are done or some failed for "
        "good, it was denied, nobody answered in time, or what it did was undone",
    )
    template: str = Field(
        default="",
        max_length=LONGEST_TEMPLATE,
        description="The text; {field} takes a group-by field or a word of the case",
    )
    screenshot: bool = Field(
        default=False,
        description="Attach a picture of the first message; webhook and mail channels only",
    )

    @property
    def wants_screenshot(self) -> bool:
        return self.screenshot

    def is_due_on(self, occasion: Occasion) -> bool:
        return occasion in self.when

    def channel_problem(self, traits: ChannelTraits) -> tuple[str, str] | None:
        if not self.screenshot or traits.supports_screenshots:
            return None
        return (
            f"channel {self.channel} is of kind {traits.kind}, which takes no screenshots",
            "leave screenshot out, or name a webhook or mail channel",
        )

    def describe(self) -> str:
        picture = ", with a screenshot" if self.screenshot else ""
        return f"notify {self.channel} when {', '.join(self.when)}{picture}"
