"""The main job as one finite run with real processes, and the judgement of it: nothing lost, nothing done twice, nothing else touched.

What should have happened is worked out here from the corpus and the rules alone, without the worker, its windows or its cases.
"""

from clawback.rehearsal.expectation import Expectation, expect
from clawback.rehearsal.plan import Rehearsal
from clawback.rehearsal.run import Progress, Result, rehearse
from clawback.rehearsal.verdict import Verdict, judge

__all__ = ["Expectation", "Progress", "Rehearsal", "Result", "Verdict", "expect", "judge", "rehearse"]
