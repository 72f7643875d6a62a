"""The guard: what may be spent, by whom, in which time.

A pure ledger of budgets, surges, demotions and the kill switch.

The workflow of the same name keeps one for the whole account. No clock and no I/O: whoever asks
says what time it is.
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
