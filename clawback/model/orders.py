"""Signed orders: what a person decides, and the checks of it that need no key.

An order is for one workflow, about one thing, and counts once.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field, ValidationError

from clawback.model.durations import format_duration
from clawback.model.identity import Actor, Role
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MAX_AGE = timedelta(minutes=10)
"""How long an order may take from whoever signs it to the workflow that it is for."""
MAX_SKEW = timedelta(minutes=5)
"""How far the clock of whoever signs may be ahead of the server's."""
_LONGEST_TEXT = 10_000
_MOST_COUNTED = 200
_MOST_ANSWERS = 50


class Verb(StrEnum):
    """Everything that a person can order, as an imperative."""

    APPROVE = "approve"
    DENY = "deny"
    COMMENT = "comment on a case"
    ASSIGN = "assign a case"
    UNDO = "undo"
    LIFT_BLOCK = "lift a block"
    EXTEND_BLOCK = "extend a block"
    RECONCILE = "reconcile blocks"
    STOP = "stop containment"
    RESUME = "resume containment"
    CONFIRM_RULE = "confirm a rule"
    PAUSE_POLLING = "pause polling"
    RESUME_POLLING = "resume polling"
    REWIND_POLLING = "rewind polling"
    CREATE_TOKEN = "create a token"  # noqa: S105 - a name, not a secret
    REVOKE_TOKEN = "revoke a token"  # noqa: S105 - a name, not a secret
    REVOKE_SESSION = "revoke a session"
    REVOKE_PERSON = "revoke the sessions of a person"
    SIGN_OUT = "sign out"

    @property
    def role(self) -> Role | None:
        """The role that it takes; None if everybody may who holds a key of the installation.

        Stopping is safe, and must work while nobody can sign in. Signing out
        ends one's own session. A block may be claimed by many cases and stand for longer than any
        rule allows, so changing one takes an operator; undoing a case gives up its own claim only.
        """
        if self in _BY_EVERYBODY:
            return None
        return Role.ANALYST if self in _BY_ANALYSTS else Role.OPERATOR

    @property
    def needs_person(self) -> bool:
        """Whether only people may order it, and no API token."""
        return self in _BY_PEOPLE


_BY_EVERYBODY = frozenset({Verb.STOP, Verb.SIGN_OUT})
_BY_ANALYSTS = frozenset(
    {
        Verb.APPROVE,
        Verb.DENY,
        Verb.COMMENT,
        Verb.ASSIGN,
        Verb.UNDO,
    }
)
_BY_PEOPLE = frozenset(
    {
        Verb.RESUME,
        Verb.CREATE_TOKEN,
        Verb.REVOKE_TOKEN,
        Verb.REVOKE_SESSION,
        Verb.REVOKE_PERSON,
    }
)


def hash_order(verb: Verb, content: str, actor: Actor) -> str:
    """Hash who orders what: the same if the order is repeated."""
    parts = (verb.value, content, *actor.identity.person)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Order(Payload):
    """What somebody orders.

    `workflow` is the id of the only workflow that it is for, `content` says about what exactly: the
    digest of a proposal, a rule, a time. `nonce` is different in every order; the parts of one
    campaign get one decision under the same nonce, and so does whoever repeats an order.
    """

    verb: Verb
    workflow: str
    content: str = ""
    actor: Actor
    reason: str = ""
    at: UtcDatetime
    nonce: str = Field(min_length=16, max_length=100)

    @property
    def about(self) -> str:
        """A hash of who orders what: the same if the order is repeated."""
        return hash_order(self.verb, self.content, self.actor)

    def problem(self, verb: Verb, workflow: str, now: datetime) -> str | None:
        """Why this order is not one that a workflow takes now; None if it is."""
        if self.verb is not verb:
            return f"the order is to {self.verb}, not to {verb}"
        if self.workflow != workflow:
            return f"the order is for {self.workflow}, not for {workflow}"

        if (age := now - self.at) > MAX_AGE:
            return (
                f"the order has expired: it was given at {self.at:%H:%M:%S} UTC, more than "
                f"{format_duration(MAX_AGE)} ago; give it again, and check your clock"
            )
        if -age > MAX_SKEW:
            return f"the order was given at {self.at:%H:%M:%S} UTC, in the future: check your clock"
        return None


class SignedOrder(Payload):
    """An order as its signature covers it: `text` is the JSON of an `Order`.

    Without `key` and `signature` it is not signed: the installation has no key.
    """

    text: str = Field(max_length=_LONGEST_TEXT)
    key: str = Field(default="", max_length=100)
    signature: str = Field(default="", max_length=200)

    @property
    def order(self) -> Order | None:
        """The order, of which nothing is verified yet; None if it cannot be read."""
        try:
            return Order.model_validate_json(self.text)
        except ValidationError:
            return None


class OrderLog:
    """The orders that a workflow has counted, for as long as a copy of one could be taken."""

    def __init__(self, counted: Mapping[str, datetime] | None = None) -> None:
        self._counted = dict(counted or {})

    @property
    def counted(self) -> dict[str, datetime]:
        """When each counted order was given, by its nonce."""
        return dict(self._counted)

    def problem(self, order: Order, now: datetime) -> str | None:
        """Why an order does not count; None if it does."""
        if order.nonce in self._counted:
            return "the order has been counted already"
        if len(self._fresh(now)) >= _MOST_COUNTED:
            return f"more than {_MOST_COUNTED} orders came within minutes: wait, and try again"
        return None

    def add(self, order: Order, now: datetime) -> None:
        """Count an order, and forget those that have expired."""
        self._counted = {**self._fresh(now), order.nonce: order.at}

    def _fresh(self, now: datetime) -> dict[str, datetime]:
        """The orders that would still be taken if they came again."""
        return {nonce: at for nonce, at in self._counted.items() if now - at <= MAX_AGE}


class Answer(Payload):
    """What a workflow answered to an order, and to which (see `Order.about`)."""

    about: str
    text: str


class AnswerLog:
    """The last answers of a workflow: an order that comes again gets the first one.

    Temporal itself remembers an update for as long as a run lasts, and forgets it when the workflow
    continues as new.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self._answers = dict(answers or {})

    @property
    def answers(self) -> dict[str, Answer]:
        """The answers by the nonces of their orders, oldest first."""
        return dict(self._answers)

    def find(self, nonce: str) -> Answer | None:
        """Return the answer to an order."""
        return self._answers.get(nonce)

    def problem(self, order: Order) -> str | None:
        """Why an order cannot be a repeated one; None if it is one, or is new."""
        known = self._answers.get(order.nonce)
        if known is None or known.about == order.about:
            return None
        return "its key was used for another request: choose a new key"

    def add(self, order: Order, text: str) -> None:
        """Remember an answer, and forget the oldest beyond the limit."""
        self._answers[order.nonce] = Answer(about=order.about, text=text)
        while len(self._answers) > _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
