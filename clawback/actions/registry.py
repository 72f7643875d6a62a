"""The actions themselves and the registry that reads them from a rule document.

`operations` of an action names what of `clawback.cloudflare.catalogue` does it and takes it back;
docs/api.md is made from it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from clawback.actions.messages import NotificationAction, Notify, TellReporter
from clawback.actions.policies import AllowSender, PolicyAction, ProtectIdentity, TrustDomain
from clawback.actions.scope import Scope, Spend
from clawback.model.addresses import PatternKind
from clawback.model.durations import Duration, GrowingDurations
from clawback.model.messages import Destination, Disposition
from clawback.model.payload import Payload


class ActionError(ValueError):
    """An action in a rule document that cannot be done as written.

    The text says what to write instead.
    """


class Move(Payload):
    """Move each message of the case to a folder, up to 1,000 in one request.

    Inverse: move back to where it was.
    """

    scope: ClassVar[Scope] = Scope.MESSAGE
    spends: ClassVar[Spend] = Spend.MESSAGES
    operations: ClassVar[tuple[str, ...]] = ("move",)
    name: Literal["move"] = "move"
    destination: Destination = Field(
        description="The folder; RecoverableItemsPurges is a hard delete and needs permission in safety.yml"
    )

    @property
    def widens(self) -> bool:
        """Whether people are asked whatever the mode.

        Only an administrator can take a hard delete back.
        """
        return self.destination is Destination.PURGES


class BulkMove(Payload):
    """Move older mail of the same kind, which a search finds.

    Somebody must look at it, whatever the mode. Inverse: as of move.
    """

    scope: ClassVar[Scope] = Scope.MESSAGE
    spends: ClassVar[Spend] = Spend.MESSAGES
    operations: ClassVar[tuple[str, ...]] = ("messages", "move")
    name: Literal["bulk_move"] = "bulk_move"
    destination: Destination = Field(description="The folder, as for move")
    sender: str = Field(
        default="",
        description="Whose mail; {field} takes the value of a group-by field",
        max_length=320,
    )
    subject: str = Field(
        default="",
        description="Words of the subject, in any order; {field} as above",
        max_length=1024,
    )
    since: Duration = Field(
        default=timedelta(days=7),
        gt=timedelta(),
        le=timedelta(days=30),
        description="How far back, at most 30d",
    )
    most: int = Field(
        default=500, ge=1, le=5000, description="If more than this are found, none is moved"
    )

    @model_validator(mode="after")
    def _is_narrow(self) -> "BulkMove":
        if not self.sender.strip() and not self.subject.strip():
            raise ValueError("say whose mail, or which subject: a search for everything is refused")
        return self

    @property
    def widens(self) -> bool:
        """As of a move."""
        return self.destination is Destination.PURGES


class Reclassify(Payload):
    """Tell Cloudflare the right disposition, once per case, on its first message.

    Inverse: the opposite reclassification.
    """

    scope: ClassVar[Scope] = Scope.CASE
    spends: ClassVar[Spend] = Spend.RECLASSIFICATIONS
    operations: ClassVar[tuple[str, ...]] = ("reclassify",)
    widens: ClassVar[bool] = False
    name: Literal["reclassify"] = "reclassify"
    disposition: Disposition = Field(description="What the message should have been")


class BlockSender(Payload):
    """Block a sender for new mail, for a time. Inverse: remove the block if it is still ours."""

    scope: ClassVar[Scope] = Scope.CASE
    spends: ClassVar[Spend] = Spend.BLOCKS
    operations: ClassVar[tuple[str, ...]] = (
        "settings.block_senders.create",
        "settings.block_senders.delete",
    )
    name: Literal["block_sender"] = "block_sender"
    pattern: str = Field(
        description="What to block; {field} takes the value of a group-by field", max_length=1024
    )
    kind: PatternKind = Field(
        default=PatternKind.EMAIL, description="What the pattern is: email, domain or ip"
    )
    expires_after: GrowingDurations = Field(
        default=(timedelta(days=30),),
        description="When the block is removed again; a list is for a pattern that comes back: the first time, the second, and so on",
    )

    def term(self, offence: int) -> timedelta:
        """How long this block stands, after so many earlier ones of the same pattern.

        The last term is for all that follow.
        """
        return self.expires_after[min(offence, len(self.expires_after) - 1)]

    @property
    def widens(self) -> bool:
        """Whether people are asked whatever the mode.

        Everything but one address may be more senders than anybody meant.
        """
        return self.kind is not PatternKind.EMAIL


class Release(Payload):
    """Let each message of the case out of the quarantine, to its recipients.

    Inverse: none; what was delivered can only be moved away.
    """

    scope: ClassVar[Scope] = Scope.MESSAGE
    spends: ClassVar[Spend] = Spend.MESSAGES
    widens: ClassVar[bool] = False
    operations: ClassVar[tuple[str, ...]] = ("release", "action_log")
    name: Literal["release"] = "release"


Action = Annotated[
    Move
    | BulkMove
    | Reclassify
    | BlockSender
    | Release
    | AllowSender
    | TrustDomain
    | ProtectIdentity,
    Field(discriminator="name"),
]
"""Any action, told apart by its name."""

ACTIONS: Mapping[str, type[Action] | type[NotificationAction]] = {
    "move": Move,
    "bulk_move": BulkMove,
    "reclassify": Reclassify,
    "block_sender": BlockSender,
    "release": Release,
    "allow_sender": AllowSender,
    "trust_domain": TrustDomain,
    "protect_identity": ProtectIdentity,
    "notify": Notify,
    "tell_reporter": TellReporter,
}


def parse_action(name: str, parameters: object) -> Action | NotificationAction:
    """Read one action of a rule document strictly: unknown names and keys are refused.

    Raises:
        ActionError: no such action, or its parameters are wrong; the text names the parameter and
            what it takes.

    """
    model = ACTIONS.get(name)
    if model is None:
        raise ActionError(f"there is no action {name[:60]!r}; there are {', '.join(ACTIONS)}")
    if not isinstance(parameters, Mapping) or "name" in parameters:
        takes = ", ".join(field for field in model.model_fields if field != "name")
        raise ActionError(
            f"{name} takes a mapping of {takes}"
            if takes
            else f"{name} takes nothing; write {{}} after it"
        )
    try:
        return model.model_validate(dict(parameters), extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ActionError(f"{name}.{place}: {first['msg']}") from None


def gives_back(action: Action) -> bool:
    """Whether an action gives mail back to people.

    What somebody took away or keeps from them is what it is for.
    """
    return isinstance(action, Release) or (
        isinstance(action, Move | BulkMove) and action.destination is Destination.INBOX
    )


def templated_fields(action: Action) -> tuple[str, ...]:
    """The names of those parameters of an action whose texts are templates."""
    if isinstance(action, PolicyAction):
        return action.templated
    return {"block_sender": ("pattern",), "bulk_move": ("sender", "subject")}.get(action.name, ())


def templates_of(action: Action) -> tuple[str, ...]:
    """The texts of an action in which `{field}` stands for a value of the event."""
    return tuple(getattr(action, field) for field in templated_fields(action))


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of one action's parameters."""
    schema = ACTIONS[name].model_json_schema()
    schema["properties"].pop("name")
    return {**schema, "additionalProperties": False}
