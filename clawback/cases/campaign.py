"""A campaign of several parts, as people see it: one case."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from clawback.cases.proposal import Proposal, ProposalChange
from clawback.cases.proposal_log import PastProposal
from clawback.cases.state import CaseSnapshot, CaseStart, CaseState

_FOREMOST = (CaseState.HELD, CaseState.RESPONDING)
"""States of a part that are those of the whole campaign."""


def campaign_state(head: CaseState, parts: Iterable[CaseState]) -> CaseState:
    """The state of a campaign: that somebody must decide comes first, then that work goes on."""
    if head not in {CaseState.SETTLED, CaseState.RESPONDING}:
        return head
    states = {head, *parts}
    return next((state for state in _FOREMOST if state in states), head)


def merge_parts(head: CaseStart, parts: Sequence[CaseStart]) -> CaseStart:
    """Show the parts of a campaign as one case. The result is for people: it is never sent."""
    every = [one.snapshot for one in (head, *parts) if one.snapshot is not None]
    if head.snapshot is None or len(every) == 1:
        return head

    states = [one.state for one in every[1:]]
    merged = head.snapshot.model_copy(
        update={
            "state": campaign_state(head.snapshot.state, states),
            "last_match_at": max(one.last_match_at for one in every),
            "guard_refusal": next((one.guard_refusal for one in every if one.guard_refusal), None),
            "events": _merge(one.events for one in every),
            "targets": _merge(one.targets for one in every),
            "first_seen": _merge(one.first_seen for one in every),
            "handled": frozenset().union(*(one.handled for one in every)),
            "conditions": _merge(one.conditions for one in every),
            "outcomes": _merge_outcomes(every),
            "applied": tuple(applied for one in every for applied in one.applied),
        }
    )
    return head.model_copy(update={"snapshot": merged})


def merge_proposals(proposals: Sequence[Proposal]) -> Proposal:
    """Join what the held parts of a campaign would do; the digest stands for exactly all of it."""
    first, *others = proposals
    if not others:
        return first

    hashed = _hash_digests(one.digest for one in proposals)
    messages = tuple(dict.fromkeys(message for one in proposals for message in one.messages))
    return first.model_copy(
        update={
            "actions": tuple(dict.fromkeys(text for one in proposals for text in one.actions)),
            "messages": messages,
            "needs": max(one.needs for one in proposals),
            "digest": f"{len(messages)}-{hashed}",
        }
    )


def find_shown(
    past: Mapping[str, Sequence[PastProposal]], digest: str
) -> tuple[datetime, dict[str, str]] | None:
    """Find when the parts of a campaign together proposed what a digest stands for.

    `past` has the earlier proposals of each part, oldest first. Returns the digest that each part
    had at that time; None if they never did, or it is forgotten.
    """
    hashed = digest.partition("-")[2]
    for at in sorted({one.at for made in past.values() for one in made}, reverse=True):
        latest = {
            part: [one.digest for one in made if one.at <= at][-1:] for part, made in past.items()
        }
        shown = {part: one for part, digests in latest.items() for one in digests}
        # What one part alone proposes has its own digest.
        alone = len(shown) == 1 and digest in shown.values()
        if alone or _hash_digests(shown.values()) == hashed:
            return at, shown
    return None


def merge_changes(
    digest: str, shown_at: datetime, changes: Mapping[str, ProposalChange]
) -> ProposalChange:
    """Join how the parts of a campaign have changed; one that knows no digest is new in it."""
    every = list(changes.values())
    known = [one for one in every if one.shown_at is not None]
    current = merge_proposals([one.current for one in every])
    kept = (text for one in known for text in one.current.actions if text not in one.new_actions)
    past = dict.fromkeys((*kept, *(text for one in known for text in one.old_actions)))
    return ProposalChange(
        since=digest,
        shown_at=shown_at,
        added=tuple(
            message
            for one in every
            for message in (one.added if one.shown_at is not None else one.current.messages)
        ),
        removed=tuple(message for one in known for message in one.removed),
        new_actions=tuple(text for text in current.actions if text not in past),
        old_actions=tuple(text for text in past if text not in current.actions),
        current=current,
    )


def _hash_digests(digests: Iterable[str]) -> str:
    joined = "\0".join(sorted(digests))
    return hashlib.sha256(joined.encode()).hexdigest()[:12]


def _merge(maps: Iterable[Mapping[str, object]]) -> dict[str, object]:
    return {key: value for one in maps for key, value in one.items()}


def _merge_outcomes(every: Sequence[CaseSnapshot]) -> tuple[dict[str, str], ...]:
    count = max(len(one.outcomes) for one in every)
    merged: list[dict[str, str]] = [{} for _ in range(count)]
    for one in every:
        for known, outcomes in zip(merged, one.outcomes, strict=False):
            known.update(outcomes)
    return tuple(merged)
