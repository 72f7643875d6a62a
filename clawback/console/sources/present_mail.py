"""Reads verdict and folder of the messages of one page as they are now, when somebody asks.

One list of Cloudflare usually has all messages of a page. What was read is kept for a minute.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clawback.cloudflare import ApiError, EmailSecurity
from clawback.cloudflare.operations.investigate import Message
from clawback.cloudflare.rate_limiter import Share
from clawback.console.errors import Unavailable
from clawback.ingest.present_verdicts import CLEAN, list_present_messages
from clawback.model.events.message import is_moved, is_released
from clawback.model.messages import Target

FRESH: Final = timedelta(minutes=1)
MOST_REQUESTS: Final = 5
"""Pages of lists that one reading may take; a campaign of one sender takes one or two."""
_PATIENCE: Final = 15.0
_MOST_KEPT: Final = 1_000
_MOVE: Final = "MOVE"


@dataclass(frozen=True)
class PresentState:
    """What Cloudflare says of a message now. `folder` is empty if nobody has moved it."""

    verdict: str
    folder: str
    read_at: datetime


@dataclass
class PresentMail:
    """Reads messages over one client; None if the console has no credentials."""

    api: EmailSecurity | None
    _kept: OrderedDict[str, PresentState] = field(default_factory=OrderedDict)

    def known(self, ids: Sequence[str], now: datetime) -> Mapping[str, PresentState]:
        """Return what was read of messages in the last minute, by id."""
        found = {id_: self._kept[id_] for id_ in ids if id_ in self._kept}
        return {id_: one for id_, one in found.items() if now - one.read_at <= FRESH}

    async def read(self, targets: Sequence[Target], now: datetime) -> int:
        """Read messages that are not known; return how many requests that took.

        Raises:
            Unavailable: no access to Cloudflare, or no answer.

        """
        known = self.known([target.id for target in targets], now)
        unknown = [target for target in targets if target.id not in known]
        if not unknown:
            return 0
        if self.api is None:
            raise Unavailable("This console has no access to Cloudflare: set CLOUDFLARE_API_TOKEN.")
        try:
            async with asyncio.timeout(_PATIENCE):
                present = await list_present_messages(
                    self.api.on(Share.PEOPLE), unknown, MOST_REQUESTS
                )
        except TimeoutError:
            raise Unavailable(f"Cloudflare did not answer within {_PATIENCE:g} s.") from None
        except ApiError as error:
            # Not the text of the error, which may quote what was asked for.
            raise Unavailable(f"Cloudflare does not answer: {error.log_text}.") from None

        for id_, message in present.found.items():
            self._kept[id_] = PresentState(
                message.final_disposition or CLEAN, find_folder(message), now
            )
            self._kept.move_to_end(id_)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return present.requests


def find_folder(message: Message) -> str:
    """Say where a message is, as far as its record tells: the API has no field for that."""
    if message.is_quarantined:
        return "quarantine"
    log = message.record.get("action_log")
    for entry in reversed(log if isinstance(log, list) else []):
        properties = entry.get("properties") if isinstance(entry, dict) else None
        folder = properties.get("folder") if isinstance(properties, dict) else None
        if isinstance(folder, str) and entry.get("operation") == _MOVE:
            return folder
    if is_moved(message.record):
        return "moved"
    return "released" if is_released(message.record) else ""
