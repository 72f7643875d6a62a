"""What people are asked when a case is held, and when their answer counts.

Bound to exactly what they were shown.
"""

import hashlib
import json
from collections.abc import Sequence

from clawback.cases.plan import CasePlan
from clawback.cases.state import ActionStep, Decision, Proposal

_SHOWN = 5


def proposal(
    plan: CasePlan,
    acts: Sequence[tuple[ActionStep, str]],
    subjects: Sequence[Sequence[str]],
    needs: int,
) -> Proposal:
    """Put into words what would be done.

    Each act with its description, and what it would be done to.

    The digest is `<messages>-<hash>`: equal exactly if rule version, actions and subjects are.
    """
    messages = tuple(dict.fromkeys(target.id for act, _ in acts for target in act.targets))
    exactly = [
        plan.version,
        [
            [act.action.model_dump(mode="json"), sorted(of)]
            for (act, _), of in zip(acts, subjects, strict=True)
        ],
    ]
    said = hashlib.sha256(
        json.dumps(exactly, sort_keys=True).encode("utf-8", "surrogatepass")
    ).hexdigest()[:12]
    return Proposal(
        rule_version=plan.version,
        actions=tuple(text for _, text in acts),
        messages=messages,
        needs=needs,
        digest=f"{len(messages)}-{said}",
    )


def what_changed(now: Proposal, shown: str) -> str | None:
    """Say how a proposal differs from the one whose digest was shown; None where it is the same."""
    if shown == now.digest:
        return None
    if not shown:
        return f"say what you approve: its digest is {now.digest}"
    before, _, _ = shown.partition("-")
    more = len(now.messages) - int(before) if before.isdecimal() else 0
    newest = ", ".join(now.messages[-more:][:_SHOWN]) if more > 0 else ""
    change = (
        f"{more} more messages ({newest}{', …' if more > _SHOWN else ''})"
        if more > 0
        else "other actions or messages than were shown"
    )
    return f"the case has changed since it was shown: {change}; it would now {'; '.join(now.actions)}. Its digest is now {now.digest}"


def still_wanted(approvals: Sequence[Decision], needs: int) -> int:
    """How many more people must agree."""
    return max(needs - len({person(one.by) for one in approvals}), 0)


def person(by: str) -> str:
    """Whoever it is, however they write their name."""
    return " ".join(by.split()).casefold()
