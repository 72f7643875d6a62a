"""What pages have computed in processes of their own: catalogue, explanations, backtests, doctor.

Every function here runs in a child, see `child_job`, and imports the rule engine there: it takes 20
MiB, which the console is to do without.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from clawback.console.jobs.child_job import JobLimits, Report
from clawback.doctor.check import Finding
from clawback.inventory.rule_catalogue import RuleCatalogue
from clawback.model.mode import Mode
from clawback.rules.tools.explained_line import ExplainedLine
from clawback.settings import Settings

CATALOGUE_LIMITS: Final = JobLimits(seconds=120)
EXPLAIN_LIMITS: Final = JobLimits(seconds=90)
DOCTOR_LIMITS: Final = JobLimits(seconds=90)
BACKTEST_LIMITS: Final = JobLimits(seconds=15 * 60, mebibytes=1536)
MOST_DETECTIONS: Final = 200
"""Requests for `/detections` that one backtest may send; what is left undecided is counted."""


@dataclass(frozen=True)
class ExplainedMessage:
    """How a rule evaluates one message, and what it would do about it.

    `outcome` is None if it depends on what was not read. `actions` is what the rule would do with
    it, `reasons` what prevents that.
    """

    key: str
    at: datetime
    sender: str
    subject: str
    outcome: bool | None
    lines: tuple[ExplainedLine, ...]
    actions: tuple[str, ...]
    reasons: tuple[str, ...]
    acts: bool
    mode: str


@dataclass(frozen=True)
class BacktestMatch:
    """One message that the rule matched."""

    at: datetime
    sender: str
    subject: str
    mailbox: str
    verdict: str
    id: str
    responded: bool


@dataclass(frozen=True)
class BacktestResult:
    """What one rule would have matched and done in a stretch of history.

    `unread` counts events that stayed undecided because a request too many would have been needed.
    """

    version: str
    events: int
    undecided: int
    matches: int
    cases: int
    responses: int
    messages: int
    actions: tuple[tuple[str, int], ...]
    held: tuple[tuple[str, int], ...]
    refused: tuple[tuple[str, int], ...]
    listed: tuple[BacktestMatch, ...]
    seconds: float


def load_catalogue(_: Report, folder: Path, safety: Path | None, ceiling: Mode) -> RuleCatalogue:
    """Load the folder of rules, run its tests and measure their coverage."""
    from clawback.inventory.catalogue_reader import read_catalogue  # noqa: PLC0415 - see above

    return read_catalogue(folder, safety, ceiling)


def explain_message(
    report: Report, settings: Settings, rule: str, message: str
) -> ExplainedMessage:
    """Read one message or submission, and explain a rule for it: two requests or a few more.

    Raises:
        JobFailed: there is no such rule or message, or the API refused or cannot be reached.

    """
    from clawback.console.jobs.rule_evaluation import explain  # noqa: PLC0415 - see above

    return explain(report, settings, rule, message)


def run_backtest(report: Report, settings: Settings, rule: str, since: timedelta) -> BacktestResult:
    """Replay the history of the account against the rules; report how many records were read.

    Raises:
        JobFailed: there is no such rule, or the API refused or cannot be reached.

    """
    from clawback.console.jobs.rule_evaluation import backtest  # noqa: PLC0415 - see above

    return backtest(report, settings, rule, since)


def check_health(_: Report) -> Sequence[Finding]:
    """Run the health checks of `clawback doctor`, which load the rules too."""
    from clawback.doctor.suite import run_checks  # noqa: PLC0415 - see above

    return asyncio.run(run_checks())
