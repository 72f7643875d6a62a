"""All messages: by id, by postfix id, by time; and the search over them with its cursor.

Nothing here knows HTTP.
"""

import base64
import hashlib
import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from clawback.simulator.mail import Mail
from clawback.simulator.options import Order

Keep = Callable[[Mail], bool]
Key = tuple[float, str]
"""Where a message stands in the order of results: by time or by a hash, then by id."""


class BadCursor(ValueError):
    """A cursor that this simulator never gave."""


@dataclass(frozen=True, slots=True)
class MailboxSearch:
    """A search: a half-open range of `scanned_at`, a predicate, and the moment it is made (later mail is not yet visible)."""

    start: datetime
    end: datetime
    keep: Keep
    now: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search; `following` is the cursor of the next, None on the last."""

    mails: list[Mail]
    following: str | None


@dataclass(slots=True)
class MailboxStore:
    """The messages of the account, in memory."""

    order: Order = Order.NEWEST
    seed: int = 0
    by_id: dict[str, Mail] = field(default_factory=dict)
    by_postfix_id: dict[str, list[Mail]] = field(default_factory=dict)
    by_alert_id: dict[str, Mail] = field(default_factory=dict)
    _keys: list[Key] = field(default_factory=list)

    def put(self, mails: Iterable[Mail]) -> None:
        """Take messages in; one whose id is known replaces it, and inherits what was done to it."""
        arriving = {mail.id: mail for mail in mails}
        for mail in arriving.values():
            self._inherit(mail)
        self._keep(arriving.values())

    def find(self, search: MailboxSearch, cursor: str | None = None) -> Iterator[Mail]:
        """Everything the search finds, in order, after the cursor.

        A message that arrives meanwhile never shifts the others.

        Raises:
            BadCursor: the cursor is not one of ours.

        """
        keys = self._range(search)
        after = (
            keys.start
            if cursor is None
            else max(keys.start, bisect_right(self._keys, _read_cursor(cursor)))
        )
        for _, identity in islice(self._keys, after, keys.stop):
            mail = self.by_id[identity]
            if (
                search.start <= mail.at < search.end
                and mail.visible_at <= search.now
                and search.keep(mail)
            ):
                yield mail

    def page(self, search: MailboxSearch, per_page: int, cursor: str | None, skip: int = 0) -> Page:
        """One page of what the search finds, `skip` messages on (the deprecated way of paging)."""
        found = list(islice(self.find(search, cursor), skip, skip + per_page + 1))
        mails = found[:per_page]
        return Page(mails, _cursor(self._key(mails[-1])) if len(found) > per_page else None)

    def forget(self, before: datetime) -> None:
        """Forget the messages scanned before that moment."""
        kept = [mail for mail in self.by_id.values() if mail.at >= before]
        if len(kept) < len(self.by_id):
            self.clear()
            self._keep(kept)

    def clear(self) -> None:
        """Forget every message."""
        for index in (self.by_id, self.by_postfix_id, self.by_alert_id, self._keys):
            index.clear()

    def _keep(self, mails: Collection[Mail]) -> None:
        """Index messages that are not there yet."""
        for mail in mails:
            self._index(mail)
        keys = map(self._key, mails)
        if len(mails) > len(self._keys) // 8:
            self._keys = sorted([*self._keys, *keys])
        else:
            for key in keys:
                insort(self._keys, key)

    def _inherit(self, mail: Mail) -> None:
        """Let a message take over from its former version, which goes."""
        if (former := self.by_id.get(mail.id)) is not None:
            mail.inherit(former)
            self.by_postfix_id[former.postfix_id].remove(former)
            del self._keys[bisect_left(self._keys, self._key(former))]

    def _index(self, mail: Mail) -> None:
        self.by_id[mail.id] = mail
        self.by_postfix_id.setdefault(mail.postfix_id, []).append(mail)
        if mail.alert_id is not None:
            self.by_alert_id[mail.alert_id] = mail

    def _range(self, search: MailboxSearch) -> range:
        """Which keys can be in the search's range of times.

        All of them where the order is not by time.
        """
        match self.order:
            case Order.NEWEST:
                first, last = -search.end.timestamp(), -search.start.timestamp()
                return range(
                    bisect_left(self._keys, (first, "")),
                    bisect_right(self._keys, (last, "\U0010ffff")),
                )
            case Order.OLDEST:
                first, last = search.start.timestamp(), search.end.timestamp()
                return range(
                    bisect_left(self._keys, (first, "")),
                    bisect_right(self._keys, (last, "\U0010ffff")),
                )
            case Order.SHUFFLED:
                return range(len(self._keys))

    def _key(self, mail: Mail) -> Key:
        match self.order:
            case Order.NEWEST:
                return -mail.at.timestamp(), mail.id
            case Order.OLDEST:
                return mail.at.timestamp(), mail.id
            case Order.SHUFFLED:
                digest = hashlib.blake2b(
                    f"{self.seed}/{mail.id}".encode(errors="replace"), digest_size=6
                ).digest()
                return float(int.from_bytes(digest, "big")), mail.id


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Key:
    try:
        place, identity = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return float(place), str(identity)
    except (ValueError, TypeError):
        raise BadCursor(cursor[:100]) from None
