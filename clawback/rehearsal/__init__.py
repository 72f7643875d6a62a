"""The main job as one finite run with real processes, and the judgement of it.

Nothing lost, nothing done twice, nothing else touched.

What should have happened is worked out here from the corpus and the rules alone, without the
worker, its windows or its cases.
"""

from clawback.rehearsal.expectation import Expectation, expect
from clawback.rehearsal.judge import Judgement, judge
from clawback.rehearsal.plan import Rehearsal
from clawback.rehearsal.runner import Progress, Result, rehearse

__all__ = [
    "Expectation",
    "Judgement",
    "Progress",
    "Rehearsal",
    "Result",
    "expect",
    "judge",
    "rehearse",
]
