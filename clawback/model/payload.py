"""The base of every model that lives in a Temporal history.

Histories outlive releases: unknown keys are ignored, new fields have defaults, nothing is renamed.
Rule documents and settings have stricter bases of their own; wire shapes have a more lenient one.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


class Payload(BaseModel):
    """A frozen value that a workflow, an activity or a signal may carry."""

    model_config = ConfigDict(frozen=True, extra="ignore")


UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""An aware moment, kept in UTC."""


def printable(text: str) -> str:
    """Give a text in which nothing can steer a terminal.

    What has no look of its own is shown as a replacement character.
    """
    return (
        text
        if text.isprintable()
        else "".join(letter if letter.isprintable() else "�" for letter in text)
    )


def bounded(text: str, limit: int = 300) -> str:
    """Cut a text that came from outside, so that it can go into a history, a record or an error."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def parse_time(value: object) -> datetime | None:
    """Read an RFC 3339 time as UTC; None where it is missing or makes no sense.

    A time without an offset is taken as UTC.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None
