"""What the answer to a move says about each message that was asked for.

The API does not say what `message_id` of an answer means (reference §2.2), so it is matched against
all three ids a message has, and what is missing from the answer is not guessed: it is unknown.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from clawback.cases.state import MOVED, failed
from clawback.model.messages import Target

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_LONGEST_REASON = 40


class MoveItem(Protocol):
    """One item of the answer: one message of one recipient."""

    @property
    def success(self) -> bool | None:
        """Whether it was moved."""

    @property
    def message_id(self) -> str | None:
        """The investigate id, the postfix id or the RFC 5322 header."""

    @property
    def status(self) -> str | None:
        """Free text."""


def move_outcomes(targets: Sequence[Target], answers: Iterable[MoveItem]) -> dict[str, str]:
    """Give the outcome of each target that the answer speaks of, by investigate id.

    The others are not in the result.
    """
    said: dict[str, list[MoveItem]] = defaultdict(list)
    for answer in answers:
        if answer.message_id:
            said[answer.message_id].append(answer)
    shared = Counter(name for target in targets for name in set(_names(target)))
    return {
        target.id: _outcome(found) for target in targets if (found := _find(target, said, shared))
    }


def _find(
    target: Target, said: Mapping[str, list[MoveItem]], shared: Counter[str]
) -> list[MoveItem]:
    for name in _names(target):
        found = said.get(name)
        if found and (shared[name] == 1 or all(answer.success for answer in found)):
            return found
    return []


def _names(target: Target) -> tuple[str, ...]:
    postfix_id = target.id.partition("-")[0]
    return (
        (target.id, postfix_id, target.message_id) if target.message_id else (target.id, postfix_id)
    )


def _outcome(answers: Sequence[MoveItem]) -> str:
    refused = [answer for answer in answers if not answer.success]
    if not refused:
        return MOVED
    return (
        failed("partly_moved")
        if len(refused) < len(answers)
        else failed(reason_word(refused[0].status))
    )


def reason_word(text: str | None) -> str:
    """Turn free text of the API into a few fixed characters that can stand in an outcome."""
    return _NOT_A_WORD.sub("_", (text or "").lower()).strip("_")[:_LONGEST_REASON] or "refused"
