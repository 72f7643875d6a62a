"""Reads the present verdicts of messages that were read before, with few requests.

A few messages are read one by one. Of many, the detections of their time are listed, a thousand a
request, then the mail of the senders of those that are not among them. A message counts as clean
only if it was read.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from clawback.cloudflare import EmailSecurity, NotFound
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


async def read_present_verdicts(api: EmailSecurity, targets: Sequence[Target]) -> dict[str, str]:
    """Read the present verdict of each message, by id; those that stay unknown are missing.

    Raises:
        ApiError: the API does not answer.

    """
    unique = list({target.id: target for target in targets}.values())
    if len(unique) > MOST_SINGLE:
        return await _Lists(api).read(unique)

    found = await asyncio.gather(*(_read_one(api, target) for target in unique))
    read = zip(unique, found, strict=True)
    return {target.id: verdict for target, verdict in read if verdict is not None}


async def _read_one(api: EmailSecurity, target: Target) -> str | None:
    try:
        message = await api.message(target.id)
    except NotFound:
        # It is no longer kept: the last verdict that is known is the present one.
        return target.verdict
    return message.final_disposition or CLEAN


class _Lists:
    """Lists messages by time and sender, in at most `MOST_PAGES` requests."""

    def __init__(self, api: EmailSecurity) -> None:
        self._api = api
        self._pages = MOST_PAGES
        self._verdicts: dict[str, str] = {}

    async def read(self, targets: Sequence[Target]) -> dict[str, str]:
        """Read the verdicts of some messages."""
        for window in _windows(targets):
            await self._list(window, detections_only=True)

        missing = [one for one in targets if one.id not in self._verdicts]
        for sender, sent in _by_sender(missing):
            for window in _windows(sent):
                await self._list(window, detections_only=False, sender=sender)

        known = self._verdicts
        return {one.id: known[one.id] for one in targets if one.id in known}

    async def _list(self, window: Sequence[Target], **filters: Any) -> None:
        """Note the verdicts of all messages around a time."""
        start, end = window[0].at - _MARGIN, window[-1].at + _MARGIN
        cursor: str | None = None
        while self._pages > 0:
            page = await self._api.messages(start=start, end=end, cursor=cursor, **filters)
            self._pages -= 1
            self._verdicts |= {one.id: one.final_disposition or CLEAN for one in page.items}
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
