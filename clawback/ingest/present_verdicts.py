"""Reads messages again that were read before, and their present verdicts, with few requests.

A few messages are read one by one. Of many, the detections of their time are listed, a thousand a
request, then the mail of the senders of those that are not among them. A message counts as clean
only if it was read.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from clawback.cloudflare import EmailSecurity, NotFound
from clawback.cloudflare.operations.investigate import Message
from clawback.model.messages import Target

MOST_SINGLE = 20
"""Messages that are read one by one."""
MOST_PAGES = 50
"""Pages that are listed for one undo. Messages after them have no known verdict."""
CLEAN = "NONE"
_GAP = timedelta(hours=1)
"""A longer pause between two messages divides the time that is listed."""
_MARGIN = timedelta(minutes=1)
"""Added to both ends of that time: the reference does not say which time of a message counts."""


@dataclass(frozen=True)
class PresentMessages:
    """Messages as they are now, by id, and how many pages of lists it took to find them."""

    found: Mapping[str, Message]
    requests: int


async def list_present_messages(
    api: EmailSecurity, targets: Iterable[Target], most_pages: int
) -> PresentMessages:
    """List messages as they are now, in at most so many pages; those not found are missing.

    Raises:
        ApiError: the API does not answer.

    """
    lists = _Lists(api, most_pages)
    found = await lists.read(list({target.id: target for target in targets}.values()))
    return PresentMessages(found, lists.requests)


class PresentVerdict(NamedTuple):
    """The present verdict of a message, and its subject, which is text from mail."""

    verdict: str
    subject: str = ""


async def read_present_verdicts(api: EmailSecurity, targets: Sequence[Target]) -> dict[str, str]:
    """Read the present verdict of each message, by id; those that stay unknown are missing.

    Raises:
        ApiError: the API does not answer.

    """
    return {id_: one.verdict for id_, one in (await judge_present(api, targets)).items()}


async def judge_present(api: EmailSecurity, targets: Sequence[Target]) -> dict[str, PresentVerdict]:
    """Read the present verdict and the subject of each message, as `read_present_verdicts`.

    Raises:
        ApiError: the API does not answer.

    """
    unique = list({target.id: target for target in targets}.values())
    if len(unique) > MOST_SINGLE:
        listed = await list_present_messages(api, unique, MOST_PAGES)
        return {id_: _judge(one) for id_, one in listed.found.items()}

    found = await asyncio.gather(*(_read_one(api, target) for target in unique))
    read = zip(unique, found, strict=True)
    return {target.id: verdict for target, verdict in read if verdict is not None}


async def _read_one(api: EmailSecurity, target: Target) -> PresentVerdict | None:
    try:
        message = await api.message(target.id)
    except NotFound:
        # It is no longer kept: the last verdict that is known is the present one.
        return PresentVerdict(target.verdict) if target.verdict else None
    return _judge(message)


def _judge(message: Message) -> PresentVerdict:
    return PresentVerdict(message.final_disposition or CLEAN, message.subject or "")


class _Lists:
    """Lists messages by time and sender, in a bounded number of requests."""

    def __init__(self, api: EmailSecurity, most_pages: int) -> None:
        self._api, self._most = api, most_pages
        self._found: dict[str, Message] = {}
        self._wanted: frozenset[str] = frozenset()
        self.requests = 0

    async def read(self, targets: Sequence[Target]) -> Mapping[str, Message]:
        """Find some messages."""
        self._wanted = frozenset(target.id for target in targets)
        for window in _windows(targets):
            await self._list(window, detections_only=True)

        missing = [one for one in targets if one.id not in self._found]
        for sender, sent in _by_sender(missing):
            for window in _windows(sent):
                await self._list(window, detections_only=False, sender=sender)
        return self._found

    async def _list(self, window: Sequence[Target], **filters: Any) -> None:
        """Note which messages around a time are wanted."""
        start, end = window[0].at - _MARGIN, window[-1].at + _MARGIN
        cursor: str | None = None
        while self.requests < self._most:
            page = await self._api.messages(start=start, end=end, cursor=cursor, **filters)
            self.requests += 1
            self._found |= {one.id: one for one in page.items if one.id in self._wanted}
            if (cursor := page.next) is None:
                return


def _windows(targets: Iterable[Target]) -> Iterator[list[Target]]:
    """Divide messages, by time, where there is a long pause."""
    window: list[Target] = []
    for target in sorted(targets, key=lambda one: one.at):
        if window and target.at - window[-1].at > _GAP:
            yield window
            window = []
        window.append(target)

    if window:
        yield window


def _by_sender(targets: Iterable[Target]) -> list[tuple[str, list[Target]]]:
    """Group messages by their sender, those of the most messages first."""
    senders: dict[str, list[Target]] = defaultdict(list)
    for target in targets:
        if target.sender:
            senders[target.sender.lower()].append(target)
    return sorted(senders.items(), key=lambda one: -len(one[1]))
