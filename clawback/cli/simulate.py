"""`clawback simulate`: the simulator of the Email Security API; its code is in that room."""

from clawback.simulator.command import simulate

__all__ = ["simulate"]
