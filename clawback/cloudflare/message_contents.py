"""What a message looks like inside: its picture, its text, its way through the mail servers.

Source: reference §1.3.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.requests import ApiRequest, Method
from clawback.cloudflare.responses import unreadable
from clawback.cloudflare.wire import Flag, Moment, Number, Text, Wire, objects


class TraceLine(Wire):
    """One line of a mail server's log."""

    renamed: ClassVar[Mapping[str, str]] = {"ts": "logged_at"}

    lineno: Number = None
    message: Text = None
    logged_at: Moment = None


class TraceSide(Wire):
    """The log of one direction; `pending` while it is still being written."""

    pending: Flag = None

    @property
    def lines(self) -> tuple[TraceLine, ...]:
        """The lines in the server's order."""
        return tuple(TraceLine.read(line) for line in objects(self.record.get("lines")))


class Trace(Wire):
    """The way of a message into Cloudflare and out of it."""

    @property
    def inbound(self) -> TraceSide:
        """The way in; without lines where nothing is known."""
        return self._side("inbound")

    @property
    def outbound(self) -> TraceSide:
        """The way out; without lines where nothing is known."""
        return self._side("outbound")

    def _side(self, name: str) -> TraceSide:
        side = self.record.get(name)
        return TraceSide.read(side if isinstance(side, Mapping) else {})


class Contents(Operations):
    """Looks into a message. Only detections are kept in full; the body of clean mail is not."""

    async def preview(self, id: str) -> str:  # noqa: A002 - the API's word
        """Read the screenshot of a detection, a PNG in base64: GET `investigate/{id}/preview`.

        Permission: Read.
        """
        return await self._text(
            ApiRequest(Method.GET, "investigate/{id}/preview", (id,)), "screenshot"
        )

    async def make_preview(self, id: str, *, postfix_id: str | None = None) -> str:  # noqa: A002 - the API's word
        """Have a screenshot made of clean mail that is still in its inbox.

        POST `investigate/preview`. Permission: Write.

        Needs an active integration; may be repeated. The body is disputed (reference §4.3):
        `{"id"}` goes first, then `{"postfix_id"}`, for which the text before the first `-` of the
        id serves where none is given.
        """
        older = postfix_id or id.partition("-")[0]
        bodies: tuple[Mapping[str, Any], ...] = ({"id": id}, {"postfix_id": older})
        current, former = (
            ApiRequest(Method.POST, "investigate/preview", body=body, harmless=True)
            for body in bodies
        )
        envelope = await self._either(current, former)
        return _text_of(current, envelope.result, "screenshot")

    async def raw(self, id: str) -> str:  # noqa: A002 - the API's word
        """Read the whole mail of a detection as text (EML): GET `investigate/{id}/raw`.

        Permission: Read.
        """
        return await self._text(ApiRequest(Method.GET, "investigate/{id}/raw", (id,)), "raw")

    async def trace(self, id: str) -> Trace:  # noqa: A002 - the API's word
        """Read the delivery log of a message: GET `investigate/{id}/trace`. Permission: Read."""
        return await self._one(ApiRequest(Method.GET, "investigate/{id}/trace", (id,)), Trace)

    async def _text(self, call: ApiRequest, field: str) -> str:
        return _text_of(call, (await self._connection.call(call)).result, field)


def _text_of(call: ApiRequest, result: Any, field: str) -> str:
    text = result.get(field) if isinstance(result, Mapping) else None
    if not isinstance(text, str):
        raise unreadable(call, f"the result has no {field}")
    return text
