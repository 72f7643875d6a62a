"""What an undo comes to, judged as the worker will: for its dry run and the question before it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from clawback.cases.undo_judgement import (
    DEFAULT_UNDO_LIMITS,
    UNKNOWN,
    UndoAssessment,
    UndoHold,
    UndoLimits,
    assess_undo,
    describe_cases,
)
from clawback.cases.undo_plan import UndoPlan
from clawback.cloudflare import ApiError, ClientError, EmailSecurity
from clawback.guard import Guard, UndoCharge
from clawback.ingest.present_verdicts import PresentVerdict, judge_present
from clawback.model.identity import Actor
from clawback.model.texts import plural
from clawback.rules.source.errors import RuleErrors
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.undo_gateway import FoundUndo, UndoCandidate

_PATIENCE = 15
"""Seconds that reading may take; the worker has all the time that it needs."""
_GUARD_PATIENCE = 5


@dataclass(frozen=True)
class Judgement:
    """What an undo comes to, as far as it can be read here; `notes` say what cannot.

    `verdicts` has the present verdict of each message that could be read, by its id, `subjects` the
    subjects of those that Cloudflare still keeps.
    """

    assessment: UndoAssessment
    notes: tuple[str, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    subjects: Mapping[str, str] = field(default_factory=dict)


class UndoJudge:
    """Judges what somebody would undo, and says what cannot be read here.

    The worker judges again, with its own access: who cannot read the API here may undo too.
    `open_api` may raise ValueError if there are no credentials.
    """

    def __init__(
        self, client: Client, open_api: Callable[[], EmailSecurity], limits: UndoLimits | None
    ) -> None:
        self._client, self._open_api, self._limits = client, open_api, limits

    async def judge(self, found: FoundUndo, actor: Actor) -> Judgement:
        """Judge the plans of an undo by present verdicts and by what the guard has counted."""
        plans = [one.plan for one in found.candidates]
        present, why_unknown = await self._judge_present(plans)
        verdicts = {id_: one.verdict for id_, one in present.items()}
        subjects = {id_: one.subject for id_, one in present.items() if one.subject}
        further = sum(one.messages for one in found.unread)
        judged = assess_undo(plans, verdicts, self._limits, further=further)

        notes = []
        if found.unread:
            notes.append("The worker judges what is not in this plan, too.")
        if why_unknown and UNKNOWN in judged.verdicts:
            notes.append(f"They could not be read here ({why_unknown}); the worker reads them.")
        if self._limits is None or judged.reasons or not judged.changes:
            return Judgement(judged, tuple(notes), verdicts, subjects)

        charge = UndoCharge.of(actor, plans, judged, self._limits)
        reasons = await _ask_guard(self._client, charge)
        if reasons is None:
            notes.append(f"Here, {charge.unknown}; the worker asks the guard.")
        judged = judged.model_copy(update={"reasons": reasons or ()})
        return Judgement(judged, tuple(notes), verdicts, subjects)

    async def _judge_present(
        self, plans: Sequence[UndoPlan]
    ) -> tuple[dict[str, PresentVerdict], str]:
        """Read the present verdicts, or say why they are unknown here."""
        targets = [target for plan in plans for target in plan.messages]
        try:
            opened = self._open_api()
        except ValueError as error:
            return {}, str(error)

        try:
            async with asyncio.timeout(_PATIENCE), opened as api:
                return await judge_present(api, targets), ""
        except TimeoutError:
            return {}, f"the API did not answer within {_PATIENCE} s"
        except (ApiError, ClientError) as error:
            return {}, str(error)


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


def read_undo_limits(rules: Path, safety: Path | None) -> UndoLimits | None:
    """Read what one person may undo alone; the defaults if the safety document has errors."""
    # The console judges undos too, and reads the document in a process of its own.
    from clawback.rules.source.safety_file import load_safety  # noqa: PLC0415 - see above

    try:
        return load_safety(rules, safety).undo_limits
    except (RuleErrors, OSError):
        return DEFAULT_UNDO_LIMITS  # a worker may have others; it decides


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


def group_by_case(candidates: Iterable[UndoCandidate]) -> list[list[UndoCandidate]]:
    """Group the parts of each case: to people they are one."""
    cases: dict[str, list[UndoCandidate]] = {}
    for one in candidates:
        cases.setdefault(one.plan.counted_as, []).append(one)
    return list(cases.values())


def found_data(found: FoundUndo) -> Iterator[tuple[str, Any]]:
    """Yield the fields of undo plans, and of what is not in them, as JSON data."""
    yield "cases", map(_plan_data, found.candidates)
    yield "unreadable", [asdict(one) for one in found.unreadable]
    yield (
        "unread",
        [
            {"case": one.entry.id, "run": one.entry.run, "messages": one.messages}
            for one in found.unread
        ],
    )


def _plan_data(one: UndoCandidate) -> dict[str, Any]:
    """Return the undo plan of a case as JSON data."""
    work = one.plan
    return {
        "case": one.case.case,
        "run": one.case.run,
        "rule": work.rule,
        "open": one.is_open,
        "messages": [target.id for target in work.messages],
        "policies": [{"list": policy.resource, **policy.fields} for policy in work.policies],
        "reclassifications": [
            {"message": correction.target.id, "disposition": correction.disposition}
            for correction in work.corrections
        ],
        "irreversible": list(work.irreversible),
        "notifications_sent": work.notifications,
    }
