"""What the codec server makes of payloads: those that can be read, and a note for the others."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from google.protobuf.json_format import MessageToDict, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from clawback.temporal.data_converter import is_encoded, read_refusal

MAX_SHOWN = 32 * 1024 * 1024
"""Bytes of all payloads of one response."""


class RequestRefused(Exception):
    """A request gets an HTTP status and a sentence instead of payloads."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


TOO_LARGE = RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large to be shown")


async def decode_body(codec: PayloadCodec, body: bytes) -> bytes:
    """Decode the payloads of a request; both sides are `Payloads` in protobuf's JSON.

    Raises:
        RequestRefused: the body is something else, or the response would be too large.

    """
    try:
        asked = Parse(body, Payloads(), ignore_unknown_fields=True)
    except (ParseError, RecursionError, UnicodeDecodeError):
        text = "the body is no list of payloads"
        raise RequestRefused(HTTPStatus.BAD_REQUEST, text) from None

    shown = await _decode(codec, asked.payloads)
    return json.dumps(MessageToDict(Payloads(payloads=shown))).encode()


async def _decode(codec: PayloadCodec, payloads: Sequence[Payload]) -> list[Payload]:
    """Decode one after the other, so that many bombs cost no more than one."""
    shown, size = [], 0
    for payload in payloads:
        decoded = await _show(codec, payload)
        size += decoded.ByteSize()
        if size > MAX_SHOWN:
            raise TOO_LARGE
        shown.append(decoded)
    return shown


async def _show(codec: PayloadCodec, payload: Payload) -> Payload:
    """Decode a payload; what is not encoded stays, and what is refused becomes a note."""
    if not is_encoded(payload):
        return payload

    (decoded,) = await codec.decode([payload])
    if (refused := read_refusal(decoded)) is None:
        return decoded
    note = json.dumps(f"clawback: {refused.message}")
    return Payload(metadata={"encoding": b"json/plain"}, data=note.encode())
