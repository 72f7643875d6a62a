"""What can be done: one registry of actions, each with its parameters, its scope and its inverse.

Rules name an action by its key (`- move: {destination: JunkEmail}`); the registry checks it when the rule is loaded, documents it,
and gives the JSON Schema. Cases carry the same models in their histories. Nothing here talks to anything.
"""

from clawback.actions.patterns import PatternKind, pattern_problem
from clawback.actions.registry import (
    ACTIONS,
    Action,
    ActionError,
    BlockSender,
    Destination,
    Disposition,
    Mode,
    Move,
    Reclassify,
    Scope,
    Spend,
    parse_action,
    templates_of,
)

__all__ = [
    "ACTIONS",
    "Action",
    "ActionError",
    "BlockSender",
    "Destination",
    "Disposition",
    "Mode",
    "Move",
    "PatternKind",
    "Reclassify",
    "Scope",
    "Spend",
    "parse_action",
    "pattern_problem",
    "templates_of",
]
