"""What `clawback up` and `clawback rehearse` run on this machine: Temporal, simulator, worker.

Touch it when another process must run, when a prerequisite must be checked before the start, or to
change the status screen. `errors` has the tree of errors.
"""

from clawback.local.child_process import ChildProcess, ProcessSpec, ProcessState
from clawback.local.errors import (
    DiskUnusable,
    PortInUse,
    ProcessFailed,
    SetupError,
    StateFolderLocked,
)
from clawback.local.preflight import RequiredPort, check_disk, check_ports, free_port, lock_state
from clawback.local.processes import (
    ProcessGroup,
    environment_with,
    fetch,
    simulator_child,
    temporal_child,
    worker_child,
)
from clawback.local.status import RuleCounts, Status
from clawback.local.status_collector import StatusCollector
from clawback.local.status_screen import format_status_line, render_status
from clawback.local.temporal_server import TemporalServer
from clawback.local.threads import run_in_daemon_thread

__all__ = [
    "ChildProcess",
    "DiskUnusable",
    "PortInUse",
    "ProcessFailed",
    "ProcessGroup",
    "ProcessSpec",
    "ProcessState",
    "RequiredPort",
    "RuleCounts",
    "SetupError",
    "StateFolderLocked",
    "Status",
    "StatusCollector",
    "TemporalServer",
    "check_disk",
    "check_ports",
    "environment_with",
    "fetch",
    "format_status_line",
    "free_port",
    "lock_state",
    "render_status",
    "run_in_daemon_thread",
    "simulator_child",
    "temporal_child",
    "worker_child",
]
