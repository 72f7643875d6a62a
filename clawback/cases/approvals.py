"""What people are asked to approve when a case is held; an approval is bound to what was shown."""

import hashlib
import json
from collections.abc import Sequence

from clawback.cases.plan import CasePlan
from clawback.cases.state import ActionStep, Decision, Proposal

_MOST_NAMED = 5


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
        actions=tuple(step.action.describe_in_full() for step in steps),
        messages=messages,
        needs=max((step.action.approvers for step in steps), default=1),
        digest=f"{len(messages)}-{hashlib.sha256(canonical).hexdigest()[:12]}",
    )


def describe_change(current: Proposal, digest: str) -> str | None:
    """Describe how a proposal differs from the one of a digest; None if it is the same."""
    if digest == current.digest:
        return None
    if not digest:
        return f"name what you approve: its digest is {current.digest}"

    count, _, _ = digest.partition("-")
    more = len(current.messages) - int(count) if count.isdecimal() else 0
    if more > 0:
        newest = ", ".join(current.messages[-more:][:_MOST_NAMED])
        change = f"{more} more messages ({newest}{', …' if more > _MOST_NAMED else ''})"
    else:
        change = "other actions or messages than were shown"
    return (
        f"the case has changed since it was shown: {change}; "
        f"it would now {'; '.join(current.actions)}. Its digest is now {current.digest}"
    )


def missing_approvals(approvals: Sequence[Decision], needs: int) -> int:
    """How many more people must approve."""
    return max(needs - len({normalize_person(one.by) for one in approvals}), 0)


def normalize_person(by: str) -> str:
    """Give a name that is equal however a person writes it."""
    return " ".join(by.split()).casefold()
