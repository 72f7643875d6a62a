"""The faults there are."""

from clawback.simulator.faults.base import Fault, RequestFault
from clawback.simulator.faults.intermediary import Intermediary
from clawback.simulator.faults.late_index import LateIndex
from clawback.simulator.faults.lost_answer import LostAnswer
from clawback.simulator.faults.malformed import Malformed
from clawback.simulator.faults.pending_search import PendingSearch
from clawback.simulator.faults.rate_limited import RateLimited
from clawback.simulator.faults.reset import Reset
from clawback.simulator.faults.server_error import ServerError
from clawback.simulator.faults.slow import Slow
from clawback.simulator.faults.timeout import Timeout

REQUEST_FAULTS: tuple[type[RequestFault], ...] = (
    RateLimited,
    ServerError,
    Timeout,
    Reset,
    LostAnswer,
    Malformed,
    PendingSearch,
    Slow,
    Intermediary,
)
"""In the order in which they are drawn: a new one goes last, so that seeds keep their meaning."""
_ALL: tuple[type[Fault], ...] = (*REQUEST_FAULTS, LateIndex)
FAULT_TYPES = {fault.name: fault for fault in _ALL}
"""All faults, by name."""
