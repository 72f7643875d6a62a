"""What an action must have.

Cases, guard, linter, backtest, CLI, undo and documentation ask the action; they never test its
type. Two families: a `ContainmentAction` changes something and costs budget, a `NotificationAction`
tells people and costs nothing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar

from clawback.actions.outcomes import failed
from clawback.model.addresses import PatternKind
from clawback.model.events import EventKind
from clawback.model.messages import Disposition, Target
from clawback.model.payload import Payload
from clawback.model.plain_errors import spelling
from clawback.model.times import UtcDatetime

if TYPE_CHECKING:
    from clawback.actions.policy import PolicyAction

FindTarget = Callable[[str], Target | None]
"""Looks up a message of a case by its investigate id."""


class Scope(StrEnum):
    """What an action applies to: each message of a case, or the case once."""

    MESSAGE = "message"
    CASE = "case"


class BudgetKind(StrEnum):
    """What an action costs, and what budgets count."""

    MESSAGES = "messages"
    BLOCKS = "blocks"
    RECLASSIFICATIONS = "reclassifications"
    POLICIES = "policies"
    HELD_MESSAGES = "held_messages"
    """Messages that a held case moves while it waits (`while-held`)."""

    @property
    def label(self) -> str:
        """What it counts, in words."""
        return self.value.replace("_", " ")


class Effect(StrEnum):
    """What an action means for the delivery of mail."""

    RESTORES = "restores"
    WITHHOLDS = "withholds"
    NONE = "none"


class Conflict(StrEnum):
    """Why two actions must not apply to the same message."""

    OPPOSITE = "opposite"
    """One restores what the other withholds."""
    DIVERGENT = "divergent"
    """Both set the same thing, to different values."""


class Occasion(StrEnum):
    """When a rule notifies people of a case."""

    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    """Its actions are done, and some failed for good."""
    DENIED = "denied"
    EXPIRED = "expired"
    UNDONE = "undone"
    """Somebody undid what it had done."""


class InstallationOccasion(StrEnum):
    """When a channel hears of the installation itself, whatever the rules say."""

    STOPPED = "stopped"
    RESUMED = "resumed"
    RULE_DEMOTED = "rule_demoted"
    RULE_CONFIRMED = "rule_confirmed"
    GUARD_LOST = "guard_lost"


class ChannelTraits(Payload):
    """What rules need to know of a channel; `clawback.notifications.channels` has the rest."""

    kind: str
    supports_screenshots: bool = False
    supports_reporters: bool = False
    """Whether it can write to a single address."""


class MessageSearch(Payload):
    """A search for messages by sender and subject, scanned between `start` and `end`.

    More than `most` results are treated as none.
    """

    sender: str = ""
    subject: str = ""
    start: UtcDatetime
    end: UtcDatetime
    most: int


class Correction(Payload):
    """A reclassification that answers an earlier one."""

    target: Target
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class UndoPart:
    """What it takes to undo one action of a case.

    `messages` return to the inbox, `policies` are removed if they are still ours, and
    `irreversible` describes what clawback cannot undo.
    """

    messages: tuple[Target, ...] = ()
    policies: tuple["PolicyAction", ...] = ()
    corrections: tuple[Correction, ...] = ()
    irreversible: tuple[str, ...] = ()


class BaseAction(Payload):
    """One item under `actions:` of a rule. Subclasses give `name` a literal default."""

    scope: ClassVar[Scope] = Scope.CASE
    operations: ClassVar[tuple[str, ...]] = ()
    """The operations of `clawback.cloudflare.operation_catalogue` that do it and undo it."""
    templated_fields: ClassVar[tuple[str, ...]] = ()
    """Parameters in which `{field}` stands for a value of the event."""
    is_exclusive: ClassVar[bool] = False
    """Whether only one of two such actions with different parameters can win."""

    name: str

    @property
    def templates(self) -> tuple[str, ...]:
        """The texts of the templated parameters."""
        return tuple(getattr(self, field) for field in self.templated_fields)

    @property
    def effect(self) -> Effect:
        """What it means for the delivery of mail."""
        return Effect.NONE

    def describe(self) -> str:
        """Describe the action in a few words, without values from mail."""
        raise NotImplementedError

    def conflict_with(self, other: "BaseAction") -> Conflict | None:
        """Say why both must not apply to the same message; None if they may."""
        if {self.effect, other.effect} == {Effect.RESTORES, Effect.WITHHOLDS}:
            return Conflict.OPPOSITE
        if self.is_exclusive and type(self) is type(other) and self != other:
            return Conflict.DIVERGENT
        return None


class ContainmentAction(BaseAction):
    """An action that changes a mailbox, a verdict or a policy."""

    budget: ClassVar[BudgetKind]
    inverse: ClassVar[str]
    """How undo takes it back; for the documentation."""
    lost_response: ClassVar[str]
    """How clawback finds out what happened after a lost response; for the documentation."""
    needs_search: ClassVar[bool] = False
    """Whether a search finds its messages; else it applies to those of the case."""
    refusal: ClassVar[str] = "never_block"
    """The reason recorded when the never-block list forbids `protected_pattern`."""

    # ---- before it happens

    @property
    def has_wide_impact(self) -> bool:
        """Whether two people must approve it in every mode."""
        return False

    @property
    def is_hard_delete(self) -> bool:
        """Whether it needs `hard_delete: true` in safety.yml."""
        return False

    @property
    def approvers(self) -> int:
        """How many people must approve it if the case is held."""
        return 2 if self.has_wide_impact else 1

    @property
    def approval_reason(self) -> str | None:
        """Why people must approve it in every mode; None if the mode decides."""
        return "wide-impact actions need two approvers" if self.has_wide_impact else None

    @property
    def protected_pattern(self) -> tuple[str, PatternKind] | None:
        """The pattern that must not be on the never-block list; None if the list does not apply."""
        return None

    @property
    def guard_subject(self) -> str | None:
        """A hash under which the guard counts repeats; None if repeats do not matter."""
        return None

    def search(self, now: UtcDatetime) -> MessageSearch | None:
        """The search that finds its messages, if it needs one."""
        return None

    def precheck(
        self,
        targets: Sequence[Target],
        handled: Collection[str],
    ) -> dict[str, str]:
        """Outcomes known without asking the API, by subject; the rest must be tried.

        `handled` are the ids of messages that somebody had already moved, released or quarantined.
        """
        return {}

    # ---- what it applies to and changes

    def subjects(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """The keys of its outcomes: investigate ids, or what the action itself names."""
        return tuple(target.id for target in targets) or ("",)

    def in_one_request(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Take the first messages that one request may name together; by default all."""
        return tuple(targets)

    def describe_elsewhere(self, targets: Iterable[Target]) -> Iterator[str]:
        """Say what it does differently for some of the messages; by default nothing."""
        return iter(())

    @property
    def undone_as(self) -> str:
        """The name under which undo counts what it takes back of it."""
        return self.name

    def describe_inverse(self) -> str:
        """Say how it can be taken back, for people who are about to approve it."""
        return self.inverse

    def describe_in_full(self) -> str:
        """Describe the action for an approver, with every pattern and search term."""
        return self.describe()

    def audit_change(self, target: Target | None) -> dict[str, str | None]:
        """The `before` and `after` of the audit record for one subject, as far as known."""
        return {}

    def undo(self, subjects: Sequence[str], find: FindTarget) -> UndoPart:
        """What it takes to undo the action for the subjects on which it took effect."""
        return UndoPart(irreversible=(self.describe(),)) if subjects else UndoPart()

    def _refuse(self, targets: Sequence[Target], reason: str | None) -> dict[str, str]:
        """Give every subject the outcome `failed`; nothing without a reason."""
        return dict.fromkeys(self.subjects(targets), failed(reason)) if reason else {}


ChannelName = Annotated[
    str,
    spelling(
        r"^[a-z][a-z0-9_-]{0,63}$",
        "the name of a channel: up to 64 of a-z, 0-9, _ and -, a letter first",
    ),
]


class NotificationAction(BaseAction):
    """An action that tells people. It changes nothing, costs no budget and needs no approval.

    Rules name a channel; its address and secrets belong to the operator
    (`clawback.notifications.channels`). Notifications follow all other actions of a rule.
    """

    event_kinds: ClassVar[frozenset[EventKind] | None] = None
    """The kinds of events it makes sense for; None: all."""
    is_for_reporters: ClassVar[bool] = False
    """Whether each reporter gets one, instead of the people behind the channel."""

    channel: ChannelName
    template: str = ""

    @property
    def subject_template(self) -> str:
        """The template of the subject; empty for the default."""
        return ""

    @property
    def wants_screenshot(self) -> bool:
        """Whether a picture of the first message is attached."""
        return False

    def is_due_on(self, occasion: Occasion) -> bool:
        """Whether an occasion calls for it."""
        raise NotImplementedError

    def channel_problem(self, traits: ChannelTraits) -> tuple[str, str] | None:
        """Why a channel with these traits cannot carry it, and the remedy; None if it can."""
        return None
