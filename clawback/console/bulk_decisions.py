"""Decides an explicit list of held cases: compares all first, then sends one update to each."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from clawback.case_files.held_cases import read_held_named
from clawback.cases import CaseState
from clawback.cases.bulk import HeldSelection
from clawback.console.requests.case_keys import CaseKey
from clawback.console.views.review import case_digest, describe_difference
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.fan_out import (
    UNANSWERED,
    Answers,
    call_each,
    describe_error,
    gather_limited,
)
from clawback.temporal.workflow_calls import UpdateRefused

_CATCHES_UP: Final = timedelta(seconds=3)
"""The index lags behind the cases by a second at most, as a rule."""
_POLLS_EVERY: Final = 0.2


@dataclass(frozen=True)
class Comparison:
    """What cases propose now, against what was shown.

    `digests` has those that are as they were shown, part by part; `differences` says of the others
    what is different, `current` their digest now if they answered. All are by the id of the case.
    """

    digests: Mapping[str, Mapping[str, str]]
    differences: Mapping[str, str]
    current: Mapping[str, str]


@dataclass(frozen=True)
class Decided:
    """What became of one case: its state, or why it did not take the decision.

    If it `is_unknown`, nobody knows whether it has taken it.
    """

    state: str = ""
    error: str = ""
    is_unknown: bool = False


async def compare_cases(cases: CaseGateway, shown: Mapping[str, str]) -> Comparison:
    """Ask each case what it proposes now; `shown` has the digest that was shown, by case."""
    answers = await call_each(cases.proposals, list(shown))
    digests: dict[str, Mapping[str, str]] = {}
    current: dict[str, str] = {}
    differences = {id_: f"gave no answer: {why}" for id_, why in answers.unanswered.items()}
    for case_id, proposals in answers.given.items():
        if proposals.errors:
            why = next(iter(proposals.unanswered.values()))
            differences[case_id] = f"a part of it gave no answer: {why}"
            continue
        parts = {part: one.digest for part, one in proposals.given.items()}
        current[case_id] = case_digest(parts)
        if current[case_id] == shown[case_id]:
            digests[case_id] = parts
        else:
            differences[case_id] = describe_difference(shown[case_id], current[case_id])
    return Comparison(digests, differences, current)


async def read_as_compared(
    cases: CaseGateway, keys: Iterable[CaseKey], current: Mapping[str, str]
) -> HeldSelection:
    """Read a selection from the index, once it has what the cases themselves have answered."""
    ids = [key.id for key in keys]
    end = asyncio.get_running_loop().time() + _CATCHES_UP.total_seconds()
    while True:
        selection = await read_held_named(cases, ids)
        known = {case.id: case_digest(case.digests) for case in selection.cases}
        agrees = all(current.get(case_id, digest) == digest for case_id, digest in known.items())
        if agrees or asyncio.get_running_loop().time() > end:
            return selection
        await asyncio.sleep(_POLLS_EVERY)


async def decide_cases(  # noqa: PLR0913 - what a decision consists of
    cases: CaseGateway,
    verb: Verb,
    actor: Actor,
    digests: Mapping[str, Mapping[str, str]],
    *,
    reason: str,
    key: str,
) -> dict[str, Decided]:
    """Send one decision to each case, under the digests that were shown; return what became."""

    async def decide(case_id: str) -> Decided:
        try:
            answers = await cases.decide_shown(
                verb, actor, reason, digests[case_id], key=key_for(key, case_id)
            )
        except UNANSWERED as error:
            return _describe_failure(error)
        return _sum_up(answers)

    ids = list(digests)
    return dict(zip(ids, await gather_limited(decide, ids), strict=True))


def key_for(key: str, case_id: str) -> str:
    """Return the key of one case in a decision of many: a repeat gives the same."""
    return hashlib.sha256(f"{key}\0{case_id}".encode()).hexdigest()[:32]


def _sum_up(answers: Answers[str]) -> Decided:
    for error in answers.errors.values():
        return _describe_failure(error)
    states = list(answers.given.values())
    return Decided(CaseState.HELD if CaseState.HELD in states else states[0])


def _describe_failure(error: Exception) -> Decided:
    is_refused = isinstance(error, UpdateRefused | LookupError)
    return Decided(error=describe_error(error), is_unknown=not is_refused)
