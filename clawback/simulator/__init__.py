"""An Email Security API in memory, with faults and a ledger: for demos, tests and rehearsals.

An independent witness: it shares no code with the client it is used to judge. The rooms around it
use what is exported here.
"""

from clawback.simulator.corpus import CorpusError, Line, parse_line, read_corpus
from clawback.simulator.demo import demo_corpus
from clawback.simulator.faults import Fault, Faults, parse_faults
from clawback.simulator.options import (
    BodyForm,
    MoveIdentity,
    Order,
    ReviewVerdict,
    Scope,
    Shape,
    SimulatorOptions,
)
from clawback.simulator.outbreak import outbreak
from clawback.simulator.rate_limit import Rate, parse_rate
from clawback.simulator.service import PortTaken, Simulator

__all__ = [
    "BodyForm",
    "CorpusError",
    "Fault",
    "Faults",
    "Line",
    "MoveIdentity",
    "Order",
    "PortTaken",
    "Rate",
    "ReviewVerdict",
    "Scope",
    "Shape",
    "Simulator",
    "SimulatorOptions",
    "demo_corpus",
    "outbreak",
    "parse_faults",
    "parse_line",
    "parse_rate",
    "read_corpus",
]
