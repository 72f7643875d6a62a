"""The contents of a message: screenshot, raw mail, delivery trace. Source: reference §1.3."""

from collections.abc import Mapping
from typing import Any, ClassVar

from clawback.cloudflare.api_request import ApiRequest, Method
from clawback.cloudflare.api_response import unreadable_response
from clawback.cloudflare.operations.operation_group import OperationGroup
from clawback.cloudflare.wire_model import Flag, Number, Text, Timestamp, WireModel, objects_of
from clawback.model.messages import postfix_id_of


class TraceLine(WireModel):
    """One line of a mail server's log."""

    renamed: ClassVar[Mapping[str, str]] = {"ts": "logged_at"}

    lineno = Number()
    message = Text()
    logged_at = Timestamp()


class TraceSide(WireModel):
    """The log of one direction; `pending` while the server still writes it."""

    pending = Flag()

    @property
    def lines(self) -> tuple[TraceLine, ...]:
        """The lines in the server's order."""
        return tuple(TraceLine.parse(line) for line in objects_of(self.record.get("lines")))


class Trace(WireModel):
    """The delivery of a message into Cloudflare and out of it; a side may have no lines."""

    @property
    def inbound(self) -> TraceSide:
        """Delivery into Cloudflare."""
        return self._side("inbound")

    @property
    def outbound(self) -> TraceSide:
        """Delivery from Cloudflare to the mailbox."""
        return self._side("outbound")

    def _side(self, name: str) -> TraceSide:
        side = self.record.get(name)
        return TraceSide.parse(side if isinstance(side, Mapping) else {})


class MessageContents(OperationGroup):
    """Reads what is inside a message. Cloudflare keeps detections in full, but no clean mail."""

    async def preview(self, id: str) -> str:
        """Read the screenshot of a detection: GET `investigate/{id}/preview`. Permission: Read.

        Returns a PNG in base64.
        """
        request = ApiRequest(Method.GET, "investigate/{id}/preview", (id,))
        return await self._fetch_text(request, "screenshot")

    async def make_preview(self, id: str, *, postfix_id: str | None = None) -> str:
        """Render a screenshot of clean mail: POST `investigate/preview`. Permission: Write.

        The mail must still be in its inbox and the domain needs an active integration. Safe to
        retry. Returns a PNG in base64.

        The sources disagree on the body (reference §4.3): `{"id"}` is sent first, then
        `{"postfix_id"}`, which defaults to the id up to its first `-`.
        """
        bodies: tuple[Mapping[str, Any], ...] = (
            {"id": id},
            {"postfix_id": postfix_id or postfix_id_of(id)},
        )
        current, former = (
            ApiRequest(Method.POST, "investigate/preview", body=body, idempotent=True)
            for body in bodies
        )
        envelope = await self._call_either(current, former)

        return _text_field(current, envelope.result, "screenshot")

    async def raw(self, id: str) -> str:
        """Read a detection as raw mail (EML): GET `investigate/{id}/raw`. Permission: Read."""
        return await self._fetch_text(ApiRequest(Method.GET, "investigate/{id}/raw", (id,)), "raw")

    async def trace(self, id: str) -> Trace:
        """Read the delivery trace of a message: GET `investigate/{id}/trace`. Permission: Read."""
        return await self._fetch_one(ApiRequest(Method.GET, "investigate/{id}/trace", (id,)), Trace)

    async def _fetch_text(self, request: ApiRequest, field: str) -> str:
        return _text_field(request, (await self._transport.call(request)).result, field)


def _text_field(request: ApiRequest, result: Any, field: str) -> str:
    text = result.get(field) if isinstance(result, Mapping) else None
    if not isinstance(text, str):
        raise unreadable_response(request, f"the result has no {field}")
    return text
