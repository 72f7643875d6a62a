"""Reads what the API says about each message of a move or release.

An outcome is given only if the response leaves no doubt. A message without one is unknown, and the
workflow looks it up.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from enum import Enum, auto
from typing import Protocol

from clawback.actions.outcomes import GONE, MOVED, RELEASED, failed
from clawback.model.messages import Target, postfix_id_of

_LONGEST_REASON = 40
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
# The API documents no values of `status`: these are the words of mail systems. A bare "not found"
# is no such word, because it may also mean that the API does not know the id.
_GONE = re.compile(
    r"(?:^|_)(?:(?:message|mail|email|item|mailbox|user|recipient)_(?:was_|is_)?not_found"
    r"|not_found_in_(?:the_)?(?:mailbox|user_mailbox|folder)"
    r"|(?:mailbox|message|mail|email|item|user|recipient)_(?:no_longer_exists?|does_not_exist)"
    r"|(?:message|mail|email|item|mailbox|already|permanently)_(?:was_|is_|already_|been_)?deleted)"
    r"(?:_|$)|erroritemnotfound|mailboxnotenabledforrestapi|errornonexistentmailbox"
)
_PENDING = re.compile(
    r"accepted|queued|pending|scheduled|submitted|in_progress|processing|running|retrying"
)


class MoveItem(Protocol):
    """One item of the API's response to a move: one message of one recipient."""

    @property
    def success(self) -> bool | None:
        """Whether it was moved."""

    @property
    def message_id(self) -> str | None:
        """The investigate id, the postfix id or the RFC 5322 header."""

    @property
    def recipient(self) -> str | None:
        """The mailbox."""

    @property
    def status(self) -> str | None:
        """Free text."""


class ReleaseItem(Protocol):
    """One item of the API's response to a release: one message."""

    @property
    def id(self) -> str:
        """The investigate id; older forms name the postfix id."""

    @property
    def delivered(self) -> Collection[str]:
        """The recipients who got the message."""

    @property
    def is_complete(self) -> bool:
        """Whether every recipient got it."""


class _State(Enum):
    """What an item says about its message."""

    DONE = auto()
    GONE = auto()
    PENDING = auto()
    REFUSED = auto()


def move_outcomes(targets: Sequence[Target], items: Iterable[MoveItem]) -> dict[str, str]:
    """Give the outcome of each message that the response settles, by investigate id.

    `targets` are all messages of the request. The API does not say which id `message_id` is
    (reference §2.2), so it is matched against all three ids of a message.
    """
    by_name: dict[str, list[MoveItem]] = defaultdict(list)
    for item in items:
        if item.message_id:
            by_name[item.message_id].append(item)

    bearers: dict[str, dict[str, Target]] = defaultdict(dict)
    for target in targets:
        for name in _names_of(target):
            if name in by_name:
                bearers[name][target.id] = target

    settled = {
        name: _outcomes_of(list(sharers.values()), by_name[name])
        for name, sharers in bearers.items()
    }
    outcomes: dict[str, str] = {}
    for target in targets:
        found = (settled.get(name, {}).get(target.id) for name in _names_of(target))
        if (outcome := next(filter(None, found), None)) is not None:
            outcomes[target.id] = outcome
    return outcomes


def release_outcomes(targets: Sequence[Target], items: Iterable[ReleaseItem]) -> dict[str, str]:
    """Give the outcome of each message that somebody received, by investigate id.

    An item may name a postfix id, which counts only if one message of the request has it.
    """
    uses = Counter(postfix_id_of(id_) for id_ in {target.id for target in targets})
    names = {
        **{postfix_id_of(one.id): one.id for one in targets if uses[postfix_id_of(one.id)] == 1},
        **{target.id: target.id for target in targets},
    }
    found: dict[str, list[ReleaseItem]] = defaultdict(list)
    for item in items:
        if item.id in names:
            found[names[item.id]].append(item)

    return {
        id_: RELEASED if all(one.is_complete for one in of) else failed("partly_released")
        for id_, of in found.items()
        if any(one.delivered for one in of)
    }


def refusal_outcome(status: str | None) -> str:
    """Give the outcome of a refusal: gone, or failed with a short word for the reason."""
    word = _NOT_A_WORD.sub("_", (status or "").lower()).strip("_")
    return GONE if _GONE.search(word) else failed(word[:_LONGEST_REASON] or "refused")


def _names_of(target: Target) -> tuple[str, ...]:
    """Its three ids, the most certain first."""
    names = (target.id, postfix_id_of(target.id), target.message_id or "")
    return tuple(dict.fromkeys(name for name in names if name))


def _outcomes_of(sharers: Sequence[Target], items: Sequence[MoveItem]) -> dict[str, str]:
    """Give the outcomes of the messages that share a name, from the items that bear it."""
    if len(sharers) == 1:
        outcome = _outcome_of(items)
        return {} if outcome is None else {sharers[0].id: outcome}

    # Who is meant can only be told by the mailbox.
    by_mailbox: dict[str, list[MoveItem]] = defaultdict(list)
    for item in items:
        by_mailbox[(item.recipient or "").lower()].append(item)

    mailboxes = Counter((target.mailbox or "").lower() for target in sharers)
    rest = [one for mailbox, of in by_mailbox.items() if mailbox not in mailboxes for one in of]
    # An item of no known mailbox is of one of them: a refusal may concern any.
    if any(_state_of(one) is not _State.DONE for one in rest):
        return {}

    outcomes: dict[str, str] = {}
    for target in sharers:
        mailbox = (target.mailbox or "").lower()
        own = by_mailbox.get(mailbox, [])
        is_one_each = len(own) >= mailboxes[mailbox] and len(set(map(_state_of, own))) == 1
        if mailbox and own and (mailboxes[mailbox] == 1 or is_one_each):
            outcome = _outcome_of(own)
            outcomes |= {} if outcome is None else {target.id: outcome}
    return outcomes


def _outcome_of(items: Sequence[MoveItem]) -> str | None:
    """Give the outcome of one message from its items, one a recipient; None: not certain yet."""
    states = Counter(map(_state_of, items))
    if states[_State.PENDING]:
        return None
    if states[_State.REFUSED]:
        if states[_State.DONE]:
            return failed("partly_moved")
        return refusal_outcome(next(one for one in items if _is_refused(one)).status)

    return MOVED if states[_State.DONE] else GONE


def _is_refused(item: MoveItem) -> bool:
    return _state_of(item) is _State.REFUSED


def _state_of(item: MoveItem) -> _State:
    word = _NOT_A_WORD.sub("_", (item.status or "").lower()).strip("_")
    if item.success is None or _PENDING.fullmatch(word):
        return _State.PENDING
    if item.success:
        return _State.DONE
    return _State.GONE if refusal_outcome(item.status) == GONE else _State.REFUSED
