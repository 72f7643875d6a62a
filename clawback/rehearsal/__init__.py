"""Rehearsals: one finite run of real processes against the simulator, and a judge of its outcome.

`expectation.py` derives what should happen from corpus and rules alone. It shares no code with
cases, windows and ingest on purpose, so never replace its brute force by theirs.
"""

from clawback.rehearsal.expectation import Expectation, build_expectation
from clawback.rehearsal.judge import Judgement, judge
from clawback.rehearsal.plan import Rehearsal
from clawback.rehearsal.progress import Progress
from clawback.rehearsal.runner import RehearsalResult, rehearse

__all__ = [
    "Expectation",
    "Judgement",
    "Progress",
    "Rehearsal",
    "RehearsalResult",
    "build_expectation",
    "judge",
    "rehearse",
]
