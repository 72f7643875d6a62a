"""`bulk_move`: move older mail of the same kind, which a search finds."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from clawback.actions.base import MessageSearch
from clawback.actions.move import MoveAction
from clawback.model.durations import Written, format_duration
from clawback.model.messages import Destination
from clawback.model.times import UtcDatetime


class BulkMove(MoveAction):
    """Search for older mail of the same sender or subject and move it.

    A person must approve the result of the search in every mode.
    """

    operations: ClassVar[tuple[str, ...]] = ("messages", "move")
    needs_search: ClassVar[bool] = True
    templated_fields: ClassVar[tuple[str, ...]] = ("sender", "subject")

    name: Literal["bulk_move"] = "bulk_move"
    destination: Destination = Field(description="The folder, as for move")
    sender: str = Field(
        default="",
        description="The sender to search for; {field} takes the value of a group-by field",
        max_length=320,
    )
    subject: str = Field(
        default="",
        description="Words of the subject, in any order; {field} as above",
        max_length=1024,
    )
    since: Annotated[timedelta, Written(longest=timedelta(days=30))] = Field(
        default=timedelta(days=7), description="How far back to search, at most 30d"
    )
    most: int = Field(
        default=500, ge=1, le=5000, description="If the search finds more, nothing is moved"
    )

    @model_validator(mode="after")
    def _check_narrow(self) -> "BulkMove":
        if not self.sender.strip() and not self.subject.strip():
            raise ValueError("give a sender or a subject: a search for everything is refused")
        return self

    @property
    def approvers(self) -> int:
        return 2 if self.is_hard_delete else 1

    @property
    def approval_reason(self) -> str | None:
        return super().approval_reason or "a person must review what the search found"

    def search(self, now: UtcDatetime) -> MessageSearch:
        """Search from `since` ago until now."""
        return MessageSearch(
            sender=self.sender,
            subject=self.subject,
            start=now - self.since,
            end=now,
            most=self.most,
        )

    def describe(self) -> str:
        return f"search the last {format_duration(self.since)} and move to {self.destination}"

    def describe_in_full(self) -> str:
        terms = [f"from {self.sender}"] if self.sender else []
        terms += [f"subject {self.subject!r}"] if self.subject else []
        return f"{self.describe()}: {', '.join(terms)}"
