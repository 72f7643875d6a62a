"""What `clawback up` and `clawback rehearse` run on this machine: the Temporal dev server and the other processes, and what they need.

Unready              this machine is not as it must be; the text names the place and the remedy
├── PortTaken        a port is in use
├── StateLocked      another `clawback up` uses the state folder
├── DiskUnusable     the state folder cannot be written, or has no room
└── ChildFailed      a process did not start, or keeps dying
"""

from clawback.embedded.children import Child, ChildSpec, ChildState
from clawback.embedded.crew import Crew, environment_with, fetch, simulator_child, temporal_child, worker_child
from clawback.embedded.errors import ChildFailed, DiskUnusable, PortTaken, StateLocked, Unready
from clawback.embedded.preflight import PortWish, check_disk, check_ports, free_port, lock_state
from clawback.embedded.server import TemporalServer, answers, set_retention

__all__ = [
    "Child",
    "ChildFailed",
    "ChildSpec",
    "ChildState",
    "Crew",
    "DiskUnusable",
    "PortTaken",
    "PortWish",
    "StateLocked",
    "TemporalServer",
    "Unready",
    "answers",
    "check_disk",
    "check_ports",
    "environment_with",
    "fetch",
    "free_port",
    "lock_state",
    "set_retention",
    "simulator_child",
    "temporal_child",
    "worker_child",
]
