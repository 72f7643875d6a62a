"""What every step of a case gets to know besides its action and its messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.steps.attempts import Attempt


@dataclass(frozen=True)
class StepContext:
    """One step of one case.

    `owner` is the mark of the case on everything that it creates; `is_off` says that the work is no
    longer wanted; `first_seen` tells by investigate id when a message was first seen, for measuring
    only; `repeats` counts earlier policies of the same subject. `first` is the first attempt, if it
    was made together with the reservation.
    """

    case_id: str
    rule: str
    owner: str
    is_off: Callable[[], bool]
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    repeats: int = 0
    first: Attempt[Any] | None = None
