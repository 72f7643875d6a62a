"""The guard of an account: budgets, surge detection, demotions and the kill switch.

Pure: no clock and no I/O; `workflows.guard` runs it. Change it to add a reason to hold a case.
"""

from clawback.guard.guard import Guard
from clawback.guard.payloads import (
    MOST_DEMOTED,
    Binding,
    Budgets,
    Demotion,
    GuardMemo,
    GuardSnapshot,
    Loss,
    LossReason,
    Past,
    Refund,
    Reservation,
    ReservationBatch,
    ReservationResult,
    Stop,
    Surge,
)
from clawback.guard.shares import Shares
from clawback.guard.sliding_counter import SlidingCounter
from clawback.guard.spending import Spending
from clawback.guard.undone import UndoCharge, UndoLedger
from clawback.guard.usage import nearly_used_shares

__all__ = [
    "MOST_DEMOTED",
    "Binding",
    "Budgets",
    "Demotion",
    "Guard",
    "GuardMemo",
    "GuardSnapshot",
    "Loss",
    "LossReason",
    "Past",
    "Refund",
    "Reservation",
    "ReservationBatch",
    "ReservationResult",
    "Shares",
    "SlidingCounter",
    "Spending",
    "Stop",
    "Surge",
    "UndoCharge",
    "UndoLedger",
    "nearly_used_shares",
]
