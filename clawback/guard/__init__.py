"""The guard: what may be spent, by whom, in which time. A pure ledger of budgets, surges, demotions and the kill switch.

The workflow of the same name keeps one for the whole account. No clock and no I/O: whoever asks says what time it is.
"""

from clawback.guard.asking import Answer, Ask, Budgets, Demotion, GuardMemory, Refund, Reservation, Stop, Surge
from clawback.guard.guard import Guard
from clawback.guard.tally import Tally

__all__ = ["Answer", "Ask", "Budgets", "Demotion", "Guard", "GuardMemory", "Refund", "Reservation", "Stop", "Surge", "Tally"]
