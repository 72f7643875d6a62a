"""A simulated Email Security API with faults and a ledger, for demos, tests and rehearsals.

It shares no code with the client that it tests. Touch it when the API changes, or to add a fault
(`faults/`).
"""

from clawback.simulator.corpus import CorpusError, Kind, Line, parse_line, read_corpus
from clawback.simulator.demo import demo_corpus
from clawback.simulator.faults import FAULT_TYPES, FaultRates, parse_faults
from clawback.simulator.mail_stream import repeat_lines, restamp
from clawback.simulator.options import (
    BodyForm,
    MoveIdentity,
    Order,
    ReviewVerdict,
    Shape,
    SimulatorOptions,
    TokenScope,
)
from clawback.simulator.own_domains import own_domains
from clawback.simulator.rate_limit import Rate, parse_rate
from clawback.simulator.service import PortUnavailable, Simulator
from clawback.simulator.synthetic import campaigns, outbreak

__all__ = [
    "FAULT_TYPES",
    "BodyForm",
    "CorpusError",
    "FaultRates",
    "Kind",
    "Line",
    "MoveIdentity",
    "Order",
    "PortUnavailable",
    "Rate",
    "ReviewVerdict",
    "Shape",
    "Simulator",
    "SimulatorOptions",
    "TokenScope",
    "campaigns",
    "demo_corpus",
    "outbreak",
    "own_domains",
    "parse_faults",
    "parse_line",
    "parse_rate",
    "read_corpus",
    "repeat_lines",
    "restamp",
]
