"""What every step of a case gets to know besides its action and its messages."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from clawback.cases.authority import Authority, Objection
    from workflows.options import CONTAIN
    from workflows.steps.attempts import Attempt, Attempts


@dataclass(frozen=True)
class StepContext:
    """One step of one case.

    `owner` is the mark of the case on everything that it creates; `authority` is what its requests
    rest on; `is_off` says that the work is no longer wanted; `objections` are those that stopped a
    request; `first_seen` tells by investigate id since when a message could be read, for measuring
    only; `repeats` counts earlier policies of the same subject. `first` is the first attempt, if it
    was made together with the reservation. `moved_before` are the messages that the case itself has
    moved to another folder before.
    """

    case_id: str
    rule: str
    owner: str
    authority: Authority
    is_off: Callable[[], bool]
    objections: list[Objection] = field(default_factory=list)
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    repeats: int = 0
    first: Attempt[Any] | None = None
    moved_before: Collection[str] = frozenset()

    def attempts(
        self, options: Mapping[str, Any] = CONTAIN, first: Attempt[Any] | None = None
    ) -> Attempts:
        """Make attempts for this step, which an objection ends."""
        return Attempts(lambda: not self.is_off(), options, self.objections, first)

    @property
    def may_continue(self) -> bool:
        """Whether the work is still wanted, and nothing was said against it."""
        return not self.objections and not self.is_off()
