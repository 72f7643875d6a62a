"""Reads one message from Cloudflare for a person: four requests, then none for a minute.

A screenshot is checked before anybody gets it: only a picture of a bounded size.
"""

import asyncio
import base64
import binascii
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from clawback.cloudflare import ApiError, EmailSecurity, NotFound
from clawback.cloudflare.operations.investigate import ActionLogEntry, Message
from clawback.cloudflare.operations.message_contents import Trace
from clawback.cloudflare.rate_limiter import Share
from clawback.console.errors import NoSuchObject, Unavailable

REQUESTS: Final = 4
FRESH: Final = timedelta(minutes=1)
MOST_PICTURE_BYTES: Final = 8 * 1024 * 1024
MOST_WIDTH: Final = 8_192
MOST_HEIGHT: Final = 16_384
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">8sI4sII")
_HEADER_LENGTH: Final = 13
_MOST_KEPT: Final = 50
_MOST_PICTURES: Final = 4
T = TypeVar("T")


@dataclass(frozen=True)
class MailParts:
    """What Cloudflare says of a message; a part that it did not give is None.

    `problems` says why, by the name of the part.
    """

    message: Message | None = None
    detections: Mapping[str, Any] | None = None
    actions: Sequence[ActionLogEntry] | None = None
    trace: Trace | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass
class MailReader:
    """Reads messages over one client; None if the console has no credentials."""

    api: EmailSecurity | None
    _kept: OrderedDict[str, tuple[float, MailParts]] = field(default_factory=OrderedDict)
    _pictures: OrderedDict[str, tuple[float, bytes]] = field(default_factory=OrderedDict)

    async def read(self, id_: str) -> MailParts:
        """Read everything about a message, as it was a minute ago at most.

        Raises:
            Unavailable: this console has no access to Cloudflare.

        """
        now = asyncio.get_running_loop().time()
        read_at, kept = self._kept.get(id_, (float("-inf"), MailParts()))
        if now - read_at <= FRESH.total_seconds():
            return kept
        parts = await self._read(id_)
        self._kept[id_] = now, parts
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return parts

    async def read_picture(self, id_: str) -> bytes:
        """Read the screenshot of a message as a PNG that has been checked: one request.

        Raises:
            NoSuchObject: Cloudflare keeps none.
            Unavailable: no access, no answer, or no picture that may be shown.

        """
        now = asyncio.get_running_loop().time()
        read_at, kept = self._pictures.get(id_, (float("-inf"), b""))
        if now - read_at <= FRESH.total_seconds():
            return kept
        try:
            encoded = await self._client().preview(id_)
        except NotFound:
            raise NoSuchObject("Cloudflare keeps no screenshot for this message.") from None
        except ApiError as error:
            raise Unavailable(f"The screenshot cannot be read now: {_explain(error)}.") from None
        picture = check_picture(encoded)
        self._pictures[id_] = now, picture
        while len(self._pictures) > _MOST_PICTURES:
            self._pictures.popitem(last=False)
        return picture

    async def _read(self, id_: str) -> MailParts:
        client, problems = self._client(), dict[str, str]()

        async def part(name: str, reading: Awaitable[T]) -> T | None:
            try:
                return await reading
            except ApiError as error:
                problems[name] = _explain(error)
                return None

        message, detections, actions, trace = await asyncio.gather(
            part("message", client.message(id_)),
            part("detections", client.detections(id_)),
            part("actions", client.action_log(id_)),
            part("trace", client.trace(id_)),
        )
        return MailParts(message, detections, actions, trace, problems)

    def _client(self) -> EmailSecurity:
        if self.api is None:
            raise Unavailable(
                "This console has no access to Cloudflare: set CLOUDFLARE_API_TOKEN (Read is "
                "enough) and CLOUDFLARE_ACCOUNT_ID for it."
            )
        return self.api.on(Share.PEOPLE)


def check_picture(encoded: str) -> bytes:
    """Return a screenshot if it is a PNG of a size that a browser can show without harm.

    Raises:
        Unavailable: it is not.

    """
    if len(encoded) > MOST_PICTURE_BYTES * 4 // 3 + 4:
        raise Unavailable("The screenshot is larger than 8 MiB, so it is not shown.")
    try:
        picture = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Unavailable("What Cloudflare sent is no picture.") from None
    if len(picture) < _HEADER.size:
        raise Unavailable("What Cloudflare sent is no picture.")

    signature, length, kind, width, height = _HEADER.unpack_from(picture)
    if signature != _PNG or kind != b"IHDR" or length != _HEADER_LENGTH:
        raise Unavailable("What Cloudflare sent is no PNG picture.")
    if not (0 < width <= MOST_WIDTH and 0 < height <= MOST_HEIGHT):
        raise Unavailable(
            f"The screenshot has {width:,} by {height:,} pixels; at most {MOST_WIDTH:,} by "
            f"{MOST_HEIGHT:,} are shown."
        )
    return picture


def _explain(error: ApiError) -> str:
    if isinstance(error, NotFound):
        return "Cloudflare has none for this message"
    # Not the text of the error, which may quote what was asked for.
    return error.log_text
