"""All actions, and how one is read from a rule document."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, ValidationError

from clawback.actions.allow_sender import AllowSender
from clawback.actions.base import BaseAction, ContainmentAction, NotificationAction
from clawback.actions.block_sender import BlockSender
from clawback.actions.bulk_move import BulkMove
from clawback.actions.hints import EXAMPLES, find_example
from clawback.actions.move import Move
from clawback.actions.notify import Notify
from clawback.actions.policy import PolicyAction
from clawback.actions.protect_identity import ProtectIdentity
from clawback.actions.reclassify import Reclassify
from clawback.actions.release import Release
from clawback.actions.tell_reporter import TellReporter
from clawback.actions.trust_domain import TrustDomain
from clawback.model.durations import DurationSchema
from clawback.model.plain_errors import PlainError, plain_errors
from clawback.model.suggestions import did_you_mean

POLICIES = (BlockSender, AllowSender, TrustDomain, ProtectIdentity)
CONTAINMENT = (Move, BulkMove, Reclassify, Release, *POLICIES)
NOTIFICATIONS = (Notify, TellReporter)

ACTIONS: Mapping[str, type[BaseAction]] = {
    model.model_fields["name"].default: model for model in (*CONTAINMENT, *NOTIFICATIONS)
}
"""Every action by the key that rules use."""

# Payload fields hold "any action", told apart by its name. Type checkers cannot follow a union that
# is built at run time; they see the base class, which is all that other code may rely on.
if TYPE_CHECKING:
    Action = ContainmentAction
    Policy = PolicyAction
    Notification = NotificationAction
else:
    Action = Annotated[Union[CONTAINMENT], Field(discriminator="name")]  # noqa: UP007 - a tuple
    Policy = Annotated[Union[POLICIES], Field(discriminator="name")]  # noqa: UP007 - a tuple
    Notification = Annotated[
        Union[NOTIFICATIONS],  # noqa: UP007 - a tuple
        Field(discriminator="name"),
    ]

CASE_WORDS: Mapping[str, str] = {
    "case": "the id of the case",
    "rule": "the name of the rule",
    "title": "the title of the rule",
    "level": "the level of the rule",
    "occasion": "why people are notified: held, done, failed, denied, expired or undone",
    "summary": "what happened, in one sentence",
    "done": "what was done, action by action, with counts",
    "messages": "how many messages the case has",
    "mailboxes": "how many mailboxes they went to",
    "events": "how many events it has",
    "subject": "the subject of the first message",
    "sender": "the sender of the first message",
    "sender_name": "the display name of that sender",
    "authentication": "the results of SPF, DKIM and DMARC for the first message",
    "mailbox": "the mailbox of the first message",
    "why": "why the first event matched, by its first clauses",
    "on_approval": "what a held case does if it is approved",
    "deadline": "when a held case is denied if nobody answers, in UTC",
    "reason": "why it is held, or was denied",
    "approved_by": "who approved or denied it",
    "link": "the case in the console (`CLAWBACK_CONSOLE_URL`), or else in the Temporal UI "
    "(`CLAWBACK_TEMPORAL_UI`)",
}
"""What `{word}` stands for in the template of a notification.

Fields of `group-by` win where both have a name.
"""


class ActionError(ValueError):
    """An action in a rule document that is wrong as written; the text says what to write.

    `errors` are all that is wrong, each with its path below the name of the action.
    """

    def __init__(self, name: str, errors: Sequence[PlainError]) -> None:
        texts = (f"{name}.{error}" if error.path else f"{name} {error}" for error in errors)
        super().__init__("; ".join(texts))
        self.errors = tuple(errors)


def parse_action(name: str, parameters: object) -> BaseAction:
    """Read one action of a rule document; unknown names and keys are refused.

    Raises:
        ActionError: no such action, or its parameters are wrong; the text names the parameter and
            what it takes.

    """
    model = ACTIONS.get(name)
    if model is None:
        example = find_example(name)
        remedy = f"write {example}" if example else did_you_mean(name, ACTIONS)
        raise ActionError(name[:60], [PlainError((), "action", "is no action", name, remedy)])

    keys = [field for field in model.model_fields if field != "name"]
    if not isinstance(parameters, Mapping) or "name" in parameters:
        takes = f"takes a mapping of {', '.join(keys)}" if keys else "takes nothing; write {}"
        remedy = f"write {EXAMPLES[name]}" if keys else ""
        raise ActionError(name, [PlainError((), "action", takes, parameters, remedy)])

    try:
        return model.model_validate(dict(parameters), extra="forbid")
    except ValidationError as error:
        found = [
            replace(one, remedy=did_you_mean(str(one.path[-1]), keys))
            if one.is_unknown_key
            else one
            for one in plain_errors(error, parameters)
        ]
        raise ActionError(name, found) from None


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of one action's parameters."""
    schema = ACTIONS[name].model_json_schema(schema_generator=DurationSchema)
    schema["properties"].pop("name")
    return {**schema, "additionalProperties": False}
