"""What `clawback up` and `clawback rehearse` run on this machine.

The Temporal dev server and the other processes, and what they need.

Unready              this machine is not as it must be; the text names the place and the remedy
├── PortTaken        a port is in use
├── StateLocked      another `clawback up` uses the state folder
├── DiskUnusable     the state folder cannot be written, or has no room
└── ChildFailed      a process did not start, or keeps dying
"""

from clawback.local.child_process import ChildProcess, ProcessSpec, ProcessState
from clawback.local.errors import ChildFailed, DiskUnusable, PortTaken, StateLocked, Unready
from clawback.local.preflight import PortWish, check_disk, check_ports, free_port, lock_state
from clawback.local.processes import (
    ProcessPlan,
    environment_with,
    fetch,
    simulator_child,
    temporal_child,
    worker_child,
)
from clawback.local.status import RuleCounts, Status
from clawback.local.status_collector import Collector
from clawback.local.status_screen import live_view, plain_line
from clawback.local.temporal_server import TemporalServer, answers, set_retention

__all__ = [
    "ChildFailed",
    "ChildProcess",
    "Collector",
    "DiskUnusable",
    "PortTaken",
    "PortWish",
    "ProcessPlan",
    "ProcessSpec",
    "ProcessState",
    "RuleCounts",
    "StateLocked",
    "Status",
    "TemporalServer",
    "Unready",
    "answers",
    "check_disk",
    "check_ports",
    "environment_with",
    "fetch",
    "free_port",
    "live_view",
    "lock_state",
    "plain_line",
    "set_retention",
    "simulator_child",
    "temporal_child",
    "worker_child",
]
