"""What a held case would do if it were approved, and how that differs from what was shown.

An approval is bound to exactly what was shown, by its digest.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from clawback.cases.plan import CasePlan
from clawback.cases.state import ActionStep
from clawback.model.payload import Payload
from clawback.model.texts import bounded, plural
from clawback.model.times import UtcDatetime

_MOST_NAMED = 5
_LONGEST_DIGEST = 40


class Proposal(Payload):
    """What a held case would do if it were approved now.

    `needs` is how many people must approve; `digest` identifies exactly this proposal.
    """

    rule_version: str
    actions: tuple[str, ...]
    messages: tuple[str, ...]
    needs: int
    digest: str


class ProposalChange(Payload):
    """How what a case proposes differs from what it proposed under a digest.

    `shown_at` is when it proposed that; None if it does not remember the digest, and then nothing
    else is known but what it proposes now.
    """

    since: str
    shown_at: UtcDatetime | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    new_actions: tuple[str, ...] = ()
    old_actions: tuple[str, ...] = ()
    current: Proposal


def make_proposal(plan: CasePlan, steps: Sequence[ActionStep]) -> Proposal:
    """Describe what would happen if the steps were approved.

    The digest is `<messages>-<hash>`: equal exactly if rule version, actions and subjects are.
    """
    messages = tuple(dict.fromkeys(target.id for step in steps for target in step.targets))
    content = [
        plan.version,
        [[step.action.model_dump(mode="json"), sorted(step.subjects)] for step in steps],
    ]
    canonical = json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")

    return Proposal(
        rule_version=plan.version,
        actions=tuple(map(_describe, steps)),
        messages=messages,
        needs=max((step.action.approvers for step in steps), default=1),
        digest=f"{len(messages)}-{hashlib.sha256(canonical).hexdigest()[:12]}",
    )


def _describe(step: ActionStep) -> str:
    elsewhere = "; ".join(step.action.describe_elsewhere(step.targets))
    return step.action.describe_in_full() + (f" ({elsewhere})" if elsewhere else "")


def compare_proposals(
    current: Proposal, digest: str, past: Proposal | None, shown_at: datetime | None = None
) -> ProposalChange:
    """Compare a proposal with the one of a digest; `past` is None if that is not remembered."""
    if past is None:
        return ProposalChange(since=digest, current=current)
    return ProposalChange(
        since=digest,
        shown_at=shown_at,
        added=_without(current.messages, past.messages),
        removed=_without(past.messages, current.messages),
        new_actions=_without(current.actions, past.actions),
        old_actions=_without(past.actions, current.actions),
        current=current,
    )


def describe_change(change: ProposalChange) -> str | None:
    """Describe how a proposal differs from the one that was shown; None if it is the same."""
    current = change.current
    if change.since == current.digest:
        return None
    if not change.since:
        return f"name what you approve: its digest is {current.digest}"

    now = f"it would now {'; '.join(current.actions)}"
    if change.shown_at is None:
        difference = f"nothing was proposed under {bounded(change.since, _LONGEST_DIGEST)} lately"
        now += f", for {plural(len(current.messages), 'message')}"
    else:
        difference = "; ".join(_differences(change)) or "its rule has changed"
    return (
        f"the case has changed since it was shown: {difference}; "
        f"{now}. Its digest is now {current.digest}"
    )


def _differences(change: ProposalChange) -> Iterator[str]:
    if change.added:
        yield f"{plural(len(change.added), 'message')} more ({_name_some(change.added)})"
    if change.removed:
        yield f"{plural(len(change.removed), 'message')} fewer ({_name_some(change.removed)})"
    if change.old_actions:
        yield f"it would no longer {'; '.join(change.old_actions)}"


def _name_some(messages: Sequence[str]) -> str:
    # The newest are those that somebody has not seen.
    more = ", …" if len(messages) > _MOST_NAMED else ""
    return ", ".join(messages[-_MOST_NAMED:]) + more


def _without(texts: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    known = set(others)
    return tuple(text for text in texts if text not in known)
