"""The base of every record that the API returns, and its lenient field types.

Only the id is required. A missing field, a null, a wrong type or an unknown enum value leaves the
typed field empty; the value itself stays in `record`, for rules and people. Fields under their old
names are read under the current ones (reference §4.1); a value under the current name wins.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from clawback.model.times import parse_time


class InvalidRecord(ValueError):
    """A record that cannot be used: not an object, or without an id."""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    items = value if isinstance(value, list | tuple) else ()
    return tuple(item for item in items if isinstance(item, str))


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
Timestamp = Annotated[datetime | None, PlainValidator(parse_time)]
Fields = Annotated[Mapping[str, Any], PlainValidator(_mapping)]
Identity = Annotated[str, PlainValidator(_identity)]
"""An id, opaque: a UUID, another string, or an integer as the API had until 2026."""


class WireModel(BaseModel):
    """One record of a response; `record` is the raw object under current field names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    renamed: ClassVar[Mapping[str, str]] = {}
    record: Annotated[dict[str, Any], PlainValidator(dict)]

    @classmethod
    def with_current_names(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Copy the object under current field names."""
        return rename_fields(raw, cls.renamed)

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Parse one object of a response.

        Raises:
            InvalidRecord: it is not an object, or has no id.

        """
        if not isinstance(raw, Mapping):
            raise InvalidRecord("the record is not an object")
        record = cls.with_current_names(raw)
        try:
            return cls.model_validate({**record, "record": record})
        except ValidationError as error:
            fields = ", ".join(
                ".".join(map(str, item["loc"]))
                for item in error.errors(include_url=False, include_input=False)
            )
            raise InvalidRecord(f"the record has no usable {fields}") from None


def rename_fields(raw: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Copy an object, old names (keys of `renamed`) turned into current ones."""
    record = dict(raw)
    for old, new in renamed.items():
        if old in record:
            value = record.pop(old)
            if record.get(new) is None:
                record[new] = value
    return record


def objects_of(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; nothing if it is not a list."""
    yield from (
        item for item in (value if isinstance(value, list) else ()) if isinstance(item, Mapping)
    )
