"""All messages, by id, postfix id, alert id and time, and the search over them with its cursor."""

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

Filter = Callable[[Mail], bool]
Key = tuple[float, str]
"""The sort key of a message: its time or a hash, then its id."""


class BadCursor(ValueError):
    """A cursor that this simulator did not issue."""


@dataclass(frozen=True, slots=True)
class MailboxSearch:
    """A half-open range of `scanned_at`, a filter, and the time of the search.

    Mail that becomes visible after `now` is not found.
    """

    start: datetime
    end: datetime
    filter: Filter
    now: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of results. `next_cursor` is None on the last page."""

    mails: list[Mail]
    next_cursor: str | None


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
        """Add messages. One with a known id replaces it, and inherits its folder and actions."""
        new = {mail.id: mail for mail in mails}
        for mail in new.values():
            self._inherit(mail)
        self._insert(new.values())

    def find(self, search: MailboxSearch, cursor: str | None = None) -> Iterator[Mail]:
        """Find messages in order, starting after the cursor.

        The cursor is a sort key, so new messages do not shift the pages.

        Raises:
            BadCursor: the cursor was not issued by this simulator.

        """
        keys = self._range(search)
        after = (
            keys.start
            if cursor is None
            else max(keys.start, bisect_right(self._keys, _parse_cursor(cursor)))
        )
        for _, identity in islice(self._keys, after, keys.stop):
            mail = self.by_id[identity]
            if (
                search.start <= mail.at < search.end
                and mail.visible_at <= search.now
                and search.filter(mail)
            ):
                yield mail

    def page(self, search: MailboxSearch, per_page: int, cursor: str | None, skip: int = 0) -> Page:
        """Return one page, after skipping `skip` messages (the deprecated way of paging)."""
        # One more than fits, to know whether there is another page.
        found = list(islice(self.find(search, cursor), skip, skip + per_page + 1))
        mails = found[:per_page]
        return Page(mails, _format_cursor(self._key(mails[-1])) if len(found) > per_page else None)

    def expire(self, before: datetime) -> None:
        """Drop messages scanned before a time."""
        kept = [mail for mail in self.by_id.values() if mail.at >= before]
        if len(kept) < len(self.by_id):
            self.clear()
            self._insert(kept)

    def clear(self) -> None:
        """Drop all messages."""
        for index in (self.by_id, self.by_postfix_id, self.by_alert_id, self._keys):
            index.clear()

    def _insert(self, mails: Collection[Mail]) -> None:
        """Index new messages."""
        for mail in mails:
            self._index(mail)

        keys = map(self._key, mails)
        # One sort of everything is cheaper than many insertions into a list.
        if len(mails) > len(self._keys) // 8:
            self._keys = sorted([*self._keys, *keys])
        else:
            for key in keys:
                insort(self._keys, key)

    def _inherit(self, mail: Mail) -> None:
        """Replace the earlier version of a message, if there is one."""
        if (earlier := self.by_id.get(mail.id)) is not None:
            mail.inherit(earlier)
            self.by_postfix_id[earlier.postfix_id].remove(earlier)
            del self._keys[bisect_left(self._keys, self._key(earlier))]

    def _index(self, mail: Mail) -> None:
        self.by_id[mail.id] = mail
        self.by_postfix_id.setdefault(mail.postfix_id, []).append(mail)
        if mail.alert_id is not None:
            self.by_alert_id[mail.alert_id] = mail

    def _range(self, search: MailboxSearch) -> range:
        """Return the positions that can be in the time range; all if the order is not by time."""
        match self.order:
            case Order.NEWEST:
                # Keys are negated times here. "\U0010ffff" sorts after any id.
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
                # An order that has nothing to do with time and is the same for every page.
                digest = hashlib.blake2b(
                    f"{self.seed}/{mail.id}".encode(errors="replace"), digest_size=6
                ).digest()
                return float(int.from_bytes(digest, "big")), mail.id


def _format_cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _parse_cursor(cursor: str) -> Key:
    try:
        place, identity = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return float(place), str(identity)
    except (ValueError, TypeError):
        raise BadCursor(cursor[:100]) from None
