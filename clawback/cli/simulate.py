"""`clawback simulate`: the Email Security API in memory, on a port.

The command lives with the simulator; here it has its name.
"""

from clawback.simulator.command import simulate

__all__ = ["simulate"]
