"""Judges an undo as the worker will, for its dry run and the question before it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from clawback.cases.undo_judgement import (
    UNKNOWN,
    UndoAssessment,
    UndoHold,
    UndoLimits,
    assess_undo,
)
from clawback.cli.cloudflare_access import open_worker_api
from clawback.cli.exits import Failure
from clawback.cloudflare import ApiError, ClientError
from clawback.ingest.present_verdicts import read_present_verdicts
from clawback.model.texts import plural
from clawback.rules import RuleErrors
from clawback.rules.source.safety_file import load_safety
from clawback.settings import Settings
from clawback.temporal.undo_gateway import FoundUndo

_PATIENCE = 15
"""Seconds that reading may take; the worker has all the time that it needs."""
_DEFAULTS = UndoLimits(changes=100, cases=20)


async def judge_here(found: FoundUndo, settings: Settings) -> tuple[UndoAssessment, str]:
    """Judge what was found, and say why the present verdicts are unknown here, if they are.

    The worker judges again, with its own access: a command that cannot read the API may undo too.
    """
    plans = [one.plan for one in found.candidates]
    targets = [target for plan in plans for target in plan.messages]
    verdicts, why = dict[str, str](), ""
    try:
        async with asyncio.timeout(_PATIENCE), open_worker_api(settings) as api:
            verdicts = await read_present_verdicts(api, targets)
    except TimeoutError:
        why = f"the API did not answer within {_PATIENCE} s"
    except (Failure, ApiError, ClientError) as error:
        why = str(error)

    limits = _limits(settings.rules, settings.safety)
    return assess_undo(plans, verdicts, limits, unread=len(found.unread)), why


def _limits(rules: Path, safety: Path | None) -> UndoLimits | None:
    try:
        return load_safety(rules, safety).undo_limits
    except (RuleErrors, OSError):
        return _DEFAULTS  # a worker may have others; it decides


def judgement_lines(found: UndoAssessment, why_unknown: str = "") -> Iterator[str]:
    """Say what the messages are now, and why a second person must agree, if one must."""
    if found.messages:
        counts = sorted(found.verdicts.items(), key=lambda one: -one[1])
        yield f"Present verdicts: {', '.join(f'{count:,} {what}' for what, count in counts)}."
    if found.malicious:
        yield f"  malicious now: {', '.join(found.malicious)}"
    if why_unknown and UNKNOWN in found.verdicts:
        yield f"They could not be read here ({why_unknown}); the worker reads them."
    if found.reasons:
        yield f"It will be held until a second person agrees: {'; '.join(found.reasons)}."


def describe_hold(undo: str, hold: UndoHold) -> str:
    """Say that an undo waits, for whom, and how to decide it."""
    return (
        f"{undo} is held: {'; '.join(hold.assessment.reasons)}. Another person decides with "
        f"`clawback undo approve {undo}` or `deny`; without an answer it ends at "
        f"{hold.expires_at:%F %H:%M} UTC."
    )


def count_lines(found: UndoAssessment) -> Iterator[str]:
    """Say how much an undo takes back."""
    yield (
        f"It would take back {plural(found.changes, 'change')} of {plural(found.cases, 'case')}, "
        f"{plural(found.messages, 'message')} of them to the inbox."
    )
