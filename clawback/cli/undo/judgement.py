"""Judges an undo as the worker will, for its dry run and the question before it."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from clawback.cases.undo_judgement import (
    UNKNOWN,
    UndoAssessment,
    UndoHold,
    UndoLimits,
    assess_undo,
    describe_cases,
)
from clawback.cases.undo_plan import UndoPlan
from clawback.cli.cloudflare_access import open_worker_api
from clawback.cli.exits import Failure
from clawback.cloudflare import ApiError, ClientError
from clawback.guard import Guard, UndoCharge
from clawback.ingest.present_verdicts import read_present_verdicts
from clawback.model.identity import Actor
from clawback.model.texts import plural
from clawback.rules import RuleErrors
from clawback.rules.source.safety_file import load_safety
from clawback.settings import Settings
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.undo_gateway import FoundUndo

_PATIENCE = 15
"""Seconds that reading may take; the worker has all the time that it needs."""
_GUARD_PATIENCE = 5
_DEFAULTS = UndoLimits(changes=100, cases=20)


@dataclass(frozen=True)
class Judgement:
    """What an undo comes to, as far as it can be read here; `notes` say what cannot."""

    assessment: UndoAssessment
    notes: tuple[str, ...] = ()


async def judge_here(
    client: Client, found: FoundUndo, actor: Actor, settings: Settings
) -> Judgement:
    """Judge what somebody would undo, and say what cannot be read here.

    The worker judges again, with its own access: a command that cannot read the API may undo too.
    """
    limits = _limits(settings.rules, settings.safety)
    plans = [one.plan for one in found.candidates]
    verdicts, why_unknown = await _read_verdicts(plans, settings)
    further = sum(one.messages for one in found.unread)
    judged = assess_undo(plans, verdicts, limits, further=further)
    notes = []
    if found.unread:
        notes.append("The worker judges what is not in this plan, too.")
    if why_unknown and UNKNOWN in judged.verdicts:
        notes.append(f"They could not be read here ({why_unknown}); the worker reads them.")
    if limits is None or judged.reasons or not judged.changes:
        return Judgement(judged, tuple(notes))

    charge = UndoCharge.of(actor, plans, judged, limits)
    reasons = await _ask_guard(client, charge)
    if reasons is None:
        notes.append(f"Here, {charge.unknown}; the worker asks the guard.")
    judged = judged.model_copy(update={"reasons": reasons or ()})
    return Judgement(judged, tuple(notes))


async def _ask_guard(client: Client, charge: UndoCharge) -> tuple[str, ...] | None:
    """Ask what the guard would say, without counting anything; None if it does not answer."""
    try:
        async with asyncio.timeout(_GUARD_PATIENCE):
            snapshot = await GuardGateway(client).status()
    except (TimeoutError, RPCError, WorkflowQueryFailedError):
        return None
    if snapshot is None:
        return (charge.unknown,)
    return Guard(snapshot).count_undo(charge, datetime.now(UTC))


async def _read_verdicts(
    plans: Sequence[UndoPlan], settings: Settings
) -> tuple[dict[str, str], str]:
    """Read the present verdicts, or say why they are unknown here."""
    targets = [target for plan in plans for target in plan.messages]
    try:
        async with asyncio.timeout(_PATIENCE), open_worker_api(settings) as api:
            return await read_present_verdicts(api, targets), ""
    except TimeoutError:
        return {}, f"the API did not answer within {_PATIENCE} s"
    except (Failure, ApiError, ClientError) as error:
        return {}, str(error)


def _limits(rules: Path, safety: Path | None) -> UndoLimits | None:
    try:
        return load_safety(rules, safety).undo_limits
    except (RuleErrors, OSError):
        return _DEFAULTS  # a worker may have others; it decides


def judgement_lines(found: UndoAssessment, notes: Iterable[str] = ()) -> Iterator[str]:
    """Say what the messages are now, and why a second person must agree, if one must."""
    if found.messages:
        counts = sorted(found.verdicts.items(), key=lambda one: -one[1])
        yield f"Present verdicts: {', '.join(f'{count:,} {what}' for what, count in counts)}."
    if found.malicious:
        yield f"  malicious now: {', '.join(found.malicious)}"
    yield from notes
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
        f"It would take back {plural(found.changes, 'change')} of "
        f"{describe_cases(found.cases, found.parts)}, "
        f"{plural(found.messages, 'message')} of them to the inbox."
    )
