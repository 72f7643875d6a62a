"""What `clawback up` and `clawback rehearse` run on this machine: Temporal, simulator, worker.

Touch it when another process must run, when a prerequisite must be checked before the start, or to
change the status screen. `errors` has the tree of errors.
"""

from typing import TYPE_CHECKING

from clawback.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from clawback.local.child_process import ChildProcess, ProcessSpec, ProcessState
    from clawback.local.errors import (
        DiskUnusable,
        PortInUse,
        ProcessFailed,
        SetupError,
        StateFolderLocked,
    )
    from clawback.local.preflight import (
        RequiredPort,
        check_disk,
        check_ports,
        free_port,
        lock_state,
    )
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
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "ChildProcess": "child_process",
            "ProcessSpec": "child_process",
            "ProcessState": "child_process",
            "DiskUnusable": "errors",
            "PortInUse": "errors",
            "ProcessFailed": "errors",
            "SetupError": "errors",
            "StateFolderLocked": "errors",
            "RequiredPort": "preflight",
            "check_disk": "preflight",
            "check_ports": "preflight",
            "free_port": "preflight",
            "lock_state": "preflight",
            "ProcessGroup": "processes",
            "environment_with": "processes",
            "fetch": "processes",
            "simulator_child": "processes",
            "temporal_child": "processes",
            "worker_child": "processes",
            "RuleCounts": "status",
            "Status": "status",
            "StatusCollector": "status_collector",
            "format_status_line": "status_screen",
            "render_status": "status_screen",
            "TemporalServer": "temporal_server",
            "run_in_daemon_thread": "threads",
        },
    )

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
