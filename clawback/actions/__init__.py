"""Actions: what a rule can do. One module per action; `base` says what an action must have.

To add one: write its module, list it in `registry`, and map it to a step in
`workflows.steps.containment.STEPS`, with an activity if no other sends its request. Everything else
asks the action.
"""

from clawback.actions.allow_sender import AllowAs, AllowSender
from clawback.actions.base import (
    BaseAction,
    BudgetKind,
    ChannelTraits,
    Conflict,
    ContainmentAction,
    Correction,
    Effect,
    InstallationOccasion,
    MessageSearch,
    NotificationAction,
    Occasion,
    Scope,
    UndoPart,
)
from clawback.actions.block_sender import BlockSender
from clawback.actions.bulk_move import BulkMove
from clawback.actions.move import Move, MoveAction
from clawback.actions.notify import Notify
from clawback.actions.policy import PolicyAction
from clawback.actions.protect_identity import ProtectIdentity
from clawback.actions.reclassify import Reclassify
from clawback.actions.registry import (
    ACTIONS,
    CASE_WORDS,
    NOTIFICATIONS,
    Action,
    ActionError,
    Notification,
    Policy,
    parse_action,
    schema_of,
)
from clawback.actions.release import Release
from clawback.actions.tell_reporter import TellReporter
from clawback.actions.trust_domain import TrustDomain

__all__ = [
    "ACTIONS",
    "CASE_WORDS",
    "NOTIFICATIONS",
    "Action",
    "ActionError",
    "AllowAs",
    "AllowSender",
    "BaseAction",
    "BlockSender",
    "BudgetKind",
    "BulkMove",
    "ChannelTraits",
    "Conflict",
    "ContainmentAction",
    "Correction",
    "Effect",
    "InstallationOccasion",
    "MessageSearch",
    "Move",
    "MoveAction",
    "Notification",
    "NotificationAction",
    "Notify",
    "Occasion",
    "Policy",
    "PolicyAction",
    "ProtectIdentity",
    "Reclassify",
    "Release",
    "Scope",
    "TellReporter",
    "TrustDomain",
    "UndoPart",
    "parse_action",
    "schema_of",
]
