"""A case after a change that nobody gated, for showing that the replay test can fail.

It must not be used for anything else.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from clawback.cases import CaseStart
    from clawback.temporal import names


@workflow.defn(name=names.CASE)
class CarelessCase:
    """It sleeps before it does anything."""

    @workflow.run
    async def run(self, start: CaseStart) -> str:
        """Change the commands."""
        await workflow.sleep(timedelta(seconds=1))
        return start.plan.rule

    @workflow.signal(name=names.MATCHED)
    def matched(self, matches: Any) -> None:
        """Take nothing in."""
