"""Reconciliation: our marks on the policy lists of the account, compared with what we know of.

Pure. What nobody knows of is adopted, with the end that its mark names; what people have edited is
reported and left alone; what is gone is closed.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from pydantic import Field

from clawback.model.identity import Actor
from clawback.model.orders import SignedOrder
from clawback.model.payload import Payload
from clawback.model.policies import Resource
from clawback.model.policy_marks import PolicyMark
from clawback.model.times import UtcDatetime

MOST_NAMED: Final = 200
"""Entries that a result names; it counts all."""


class PolicyState(StrEnum):
    """What a reconciliation found out about one entry."""

    KNOWN = "known"
    ADOPTED = "adopted"
    """Nothing would have ended it; it ends now as its mark says."""
    UNMANAGED = "unmanaged"
    """The same, but this run adopts nothing."""
    CHANGED = "changed"
    """People have edited it or its mark: it is theirs now."""
    GONE = "gone"
    """Somebody has removed it from the list."""
    PERMANENT = "permanent"
    """It was made without an end."""
    FOREIGN = "foreign"
    """Another installation made it."""


NOTEWORTHY: Final = (
    PolicyState.ADOPTED,
    PolicyState.UNMANAGED,
    PolicyState.CHANGED,
    PolicyState.GONE,
)


class ReconciledPolicy(Payload):
    """One entry: where it is, what it is about, and what was found out."""

    resource: Resource
    id: str
    state: PolicyState
    label: str = ""
    rule: str = ""
    case: str = ""
    expires_at: UtcDatetime | None = None


class Reconcile(Payload):
    """Reconcile now: what a person ordered, or without an order, what the schedule does.

    A person's run adopts in every mode, the schedule's only if this installation may act.
    """

    dry_run: bool = False
    order: SignedOrder | None = None


class ReconcileFor(Payload):
    """Reconcile for somebody; None is the schedule."""

    dry_run: bool = False
    actor: Actor | None = None
    reason: str = ""


class Reconciliation(Payload):
    """What a reconciliation found, counted; `named` are the noteworthy entries, some of many.

    `unread` are the lists that could not be read, each with the class of the error; `left` counts
    what this run had no time for.
    """

    at: UtcDatetime
    dry_run: bool = False
    counts: dict[PolicyState, int] = Field(default_factory=dict)
    named: tuple[ReconciledPolicy, ...] = ()
    unread: dict[Resource, str] = Field(default_factory=dict)
    left: int = 0

    def count(self, state: PolicyState) -> int:
        """How many entries were found so."""
        return self.counts.get(state, 0)


def judge_entry(
    mark: PolicyMark | None, installation: str, *, is_known: bool
) -> PolicyState | None:
    """Judge an entry that is on a list; None if it is none of ours.

    Args:
        mark: its mark; None if it has none.
        installation: the name of this installation.
        is_known: whether a workflow of ours waits for its end.

    """
    if is_known:
        # By whatever name: an installation may have been renamed since.
        is_unchanged = mark is not None and mark.is_intact
        return PolicyState.KNOWN if is_unchanged else PolicyState.CHANGED
    if mark is None:
        return None
    if mark.installation != installation:
        return PolicyState.FOREIGN
    if not mark.is_intact:
        return PolicyState.CHANGED
    return PolicyState.PERMANENT if mark.expires_at is None else PolicyState.ADOPTED


def find_gone(known: Collection[str], listed: Collection[str]) -> list[str]:
    """Return the ids of a list that we know of and that are not on it."""
    return sorted(set(known) - set(listed))


def count_states(found: Iterable[ReconciledPolicy]) -> dict[PolicyState, int]:
    """Count entries by what was found out."""
    return dict(Counter(one.state for one in found))
