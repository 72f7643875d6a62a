"""The case, one per campaign, as a pure state machine with approvals and undo plan.

No clock and no I/O: `workflows.case` runs it. Change it when cases should decide differently.
"""

from clawback.cases.approvals import NotHeld
from clawback.cases.case import Case
from clawback.cases.placement import MatchSize
from clawback.cases.plan import CasePlan, Limit, Match, group_hash
from clawback.cases.proposal import Proposal, ProposalChange
from clawback.cases.state import (
    ActionStep,
    ActionSummary,
    AppliedAction,
    CaseSnapshot,
    CaseStart,
    CaseState,
    CloseStep,
    Decision,
    Delivery,
    ForwardMatches,
    JoinStep,
    KnownMatches,
    NotificationContext,
    NotificationStep,
    Placement,
    SearchStep,
    Step,
    StepPurpose,
    WaitStep,
)
from clawback.cases.timing import CaseTiming
from clawback.correlation.sliding_window import (
    CorrelationType,
    CorrelationWindow,
    WindowEntry,
    find_window,
)

__all__ = [
    "ActionStep",
    "ActionSummary",
    "AppliedAction",
    "Case",
    "CasePlan",
    "CaseSnapshot",
    "CaseStart",
    "CaseState",
    "CaseTiming",
    "CloseStep",
    "CorrelationType",
    "CorrelationWindow",
    "Decision",
    "Delivery",
    "ForwardMatches",
    "JoinStep",
    "KnownMatches",
    "Limit",
    "Match",
    "MatchSize",
    "NotHeld",
    "NotificationContext",
    "NotificationStep",
    "Placement",
    "Proposal",
    "ProposalChange",
    "SearchStep",
    "Step",
    "StepPurpose",
    "WaitStep",
    "WindowEntry",
    "find_window",
    "group_hash",
]
