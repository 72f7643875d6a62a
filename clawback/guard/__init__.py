"""The guard of an account: budgets, surge detection, demotions and the kill switch.

Pure: no clock and no I/O; `workflows.guard` runs it. Change it to add a reason to hold a case.
"""

from clawback.guard.guard import Guard
from clawback.guard.payloads import (
    Budgets,
    Demotion,
    GuardSnapshot,
    Refund,
    Reservation,
    ReservationBatch,
    ReservationResult,
    Stop,
    Surge,
)
from clawback.guard.sliding_counter import SlidingCounter

__all__ = [
    "Budgets",
    "Demotion",
    "Guard",
    "GuardSnapshot",
    "Refund",
    "Reservation",
    "ReservationBatch",
    "ReservationResult",
    "SlidingCounter",
    "Stop",
    "Surge",
]
