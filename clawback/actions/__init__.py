"""What can be done: one registry of actions, each with its parameters, its scope and its inverse.

Rules name an action by its key (`- move: {destination: JunkEmail}`); the registry checks it when
the rule is loaded, documents it, and gives the JSON Schema. Cases carry the same models in their
histories. Nothing here talks to anything.
"""

from clawback.actions.messages import (
    CASE_WORDS,
    ChannelKind,
    NotificationAction,
    Notify,
    Occasion,
    TellReporter,
    texts_of,
)
from clawback.actions.policies import (
    AllowSender,
    Leniency,
    PolicyAction,
    ProtectIdentity,
    Resource,
    TrustDomain,
)
from clawback.actions.registry import (
    ACTIONS,
    Action,
    ActionError,
    BlockSender,
    BulkMove,
    Move,
    Reclassify,
    Release,
    gives_back,
    parse_action,
    templated_fields,
    templates_of,
)
from clawback.actions.scope import Scope, Spend
from clawback.model.addresses import PatternKind, pattern_problem

__all__ = [
    "ACTIONS",
    "CASE_WORDS",
    "Action",
    "ActionError",
    "AllowSender",
    "BlockSender",
    "BulkMove",
    "ChannelKind",
    "Leniency",
    "Move",
    "NotificationAction",
    "Notify",
    "Occasion",
    "PatternKind",
    "PolicyAction",
    "ProtectIdentity",
    "Reclassify",
    "Release",
    "Resource",
    "Scope",
    "Spend",
    "TellReporter",
    "TrustDomain",
    "gives_back",
    "parse_action",
    "pattern_problem",
    "templated_fields",
    "templates_of",
    "texts_of",
]
