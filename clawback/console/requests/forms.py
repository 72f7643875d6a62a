"""Reads the body of a form: bounded, each field once. The gate has checked where it comes from."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from clawback.console.access.request_guard import MAX_BODY
from clawback.console.errors import BadRequest

_MOST_FIELDS = 500
_TYPE = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form; a field may be there several times, as checkboxes are."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def one(self, name: str, default: str = "") -> str:
        """Return the only value of a field.

        Raises:
            BadRequest: it is there several times.

        """
        values = self.every(name)
        if len(values) > 1:
            raise BadRequest(f"the field `{name}` is there {len(values)} times; send it once")
        return values[0] if values else default

    def every(self, name: str) -> list[str]:
        """Return all values of a field."""
        return [value.strip() for key, value in self._pairs if key == name]

    def has(self, name: str) -> bool:
        """Whether a field is there at all."""
        return any(key == name for key, _ in self._pairs)

    def as_dict(self) -> Mapping[str, str]:
        """Return the last value of each field."""
        return dict(self._pairs)


async def read_form(request: Request) -> Form:
    """Read the form of a request, once; the gate and the handler share it.

    Raises:
        BadRequest: it is no form, too large, or has too many fields.

    """
    known: Form | None = getattr(request.state, "form", None)
    if known is not None:
        return known

    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _TYPE:
        raise BadRequest(f"send the form as {_TYPE}")

    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BadRequest(f"the form is larger than {MAX_BODY // 1024} KiB; send less at once")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            encoding="utf-8",
            errors="replace",
        )
    except ValueError as error:
        raise BadRequest(f"the form cannot be read: {error}") from None
    form = Form(pairs)
    request.state.form = form
    return form
