"""The faults of the simulator: one module per fault, `registry.py` lists them.

To add a fault, write a module with a subclass of `RequestFault` and list it.
"""

from clawback.simulator.faults.registry import FAULT_TYPES
from clawback.simulator.faults.sampler import FaultRate, FaultRates, FaultSampler, parse_faults

__all__ = ["FAULT_TYPES", "FaultRate", "FaultRates", "FaultSampler", "parse_faults"]
