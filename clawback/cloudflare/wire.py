"""The base of every record that comes from the API, and its lenient field types.

Only the id is required; nothing else can fail.

A missing field, a null, a wrong type or an unknown enum value leaves the typed field empty; the
value itself stays in `record`, for rules and people to see. Old field names are read as today's
(reference §4.1): the old value is taken where the new one is missing or null.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from clawback.model.times import parse_time


class Unreadable(ValueError):
    """One record that cannot be used: not an object, or without its id."""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return (
        tuple(item for item in value if isinstance(item, str))
        if isinstance(value, list | tuple)
        else ()
    )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _identity(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("the record has no id")
    return str(value)


Text = Annotated[str | None, PlainValidator(_text)]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
Flag = Annotated[bool | None, PlainValidator(_flag)]
Number = Annotated[int | None, PlainValidator(_number)]
Moment = Annotated[datetime | None, PlainValidator(parse_time)]
Fields = Annotated[Mapping[str, Any], PlainValidator(_mapping)]
Identity = Annotated[str, PlainValidator(_identity)]
"""An id: a UUID or any other text, or an int as the API had until 2026; opaque text here."""


class Wire(BaseModel):
    """One record of an answer. `record` is the raw object under current names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    renamed: ClassVar[Mapping[str, str]] = {}
    record: Annotated[dict[str, Any], PlainValidator(dict)]

    @classmethod
    def current(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The object under current names; `raw` itself is left alone."""
        return rename(raw, cls.renamed)

    @classmethod
    def read(cls, raw: object) -> Self:
        """Read one object of an answer.

        Raises:
            Unreadable: it is not an object, or has no id.

        """
        if not isinstance(raw, Mapping):
            raise Unreadable("the record is not an object")
        record = cls.current(raw)
        try:
            return cls.model_validate({**record, "record": record})
        except ValidationError as error:
            fields = ", ".join(
                ".".join(map(str, item["loc"]))
                for item in error.errors(include_url=False, include_input=False)
            )
            raise Unreadable(f"the record has no usable {fields}") from None


def rename(raw: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Copy an object with its old names (keys of `renamed`) turned into today's.

    A value under today's name wins.
    """
    record = dict(raw)
    for old, new in renamed.items():
        if old in record:
            value = record.pop(old)
            if record.get(new) is None:
                record[new] = value
    return record


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list, and nothing of anything else."""
    yield from (
        item for item in (value if isinstance(value, list) else ()) if isinstance(item, Mapping)
    )
