"""The base of every record that the API returns, and its lenient field types.

Only the id is required, and only it is checked when a page is read. A field is read from `record`
when somebody asks for it: a missing one, a null, a wrong type or an unknown enum value gives the
empty value of its type; the value itself stays in `record`, for rules and people. Fields under
their old names are read under the current ones (reference §4.1); a value under the current name
wins.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from clawback.model.times import parse_time

T = TypeVar("T")


class InvalidRecord(ValueError):
    """A record that cannot be used: not an object, or without an id."""


class WireField(Generic[T]):
    """A typed, read-only attribute of a `WireModel`: the value of the same name in its record."""

    _name: str

    def __set_name__(self, owner: type["WireModel"], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, model: None, owner: type["WireModel"]) -> Self: ...
    @overload
    def __get__(self, model: "WireModel", owner: type["WireModel"]) -> T: ...
    def __get__(self, model: "WireModel | None", owner: type["WireModel"]) -> Self | T:
        return self if model is None else self.read(model.record.get(self._name))

    @abstractmethod
    def read(self, value: object) -> T:
        """Give the value, or what stands for one of a wrong type."""


class Text(WireField[str | None]):
    """A string, or None."""

    def read(self, value: object) -> str | None:
        return value if isinstance(value, str) else None


class Texts(WireField[tuple[str, ...]]):
    """The strings of a list; a single string counts as a list of one."""

    def read(self, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        items = value if isinstance(value, list | tuple) else ()
        return tuple(item for item in items if isinstance(item, str))


class Flag(WireField[bool | None]):
    """A boolean, or None."""

    def read(self, value: object) -> bool | None:
        return value if isinstance(value, bool) else None


class Number(WireField[int | None]):
    """An integer, or None."""

    def read(self, value: object) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class Timestamp(WireField[datetime | None]):
    """A time in UTC, or None."""

    def read(self, value: object) -> datetime | None:
        return parse_time(value)


class Fields(WireField[Mapping[str, Any]]):
    """An object; empty if there is none."""

    def read(self, value: object) -> Mapping[str, Any]:
        return value if isinstance(value, Mapping) else {}


class Identity(WireField[str]):
    """The id, opaque: a UUID, another string, or an integer as the API had until 2026."""

    def __set_name__(self, owner: type["WireModel"], name: str) -> None:
        super().__set_name__(owner, name)
        owner.identity = name

    def read(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise InvalidRecord(f"the record has no usable {self._name}")
        return str(value)


@dataclass(frozen=True)
class WireModel:
    """One record of a response; `record` is the raw object under current field names.

    `identity` names the field with the id; empty for records without one.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    identity: ClassVar[str] = ""

    record: Mapping[str, Any]

    @classmethod
    def with_current_names(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the object under current field names."""
        return rename_fields(raw, cls.renamed)

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Parse one object of a response.

        Raises:
            InvalidRecord: it is not an object, or has no id.

        """
        if not isinstance(raw, dict):  # half the cost of a check for Mapping
            raise InvalidRecord("the record is not an object")
        model = cls(cls.with_current_names(raw))
        if cls.identity:
            getattr(model, cls.identity)
        return model


def rename_fields(raw: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    """Give an object with old names (keys of `renamed`) turned into current ones.

    It is copied only if it has old names: most records have none.
    """
    # Of two views the shorter one is searched for in the longer one.
    if renamed.keys().isdisjoint(raw.keys()):
        return raw

    record = dict(raw)
    for old, new in renamed.items():
        if old in record:
            value = record.pop(old)
            # A server may send both names; the current one wins.
            if record.get(new) is None:
                record[new] = value

    return record


def objects_of(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; nothing if it is not a list."""
    yield from (
        item for item in (value if isinstance(value, list) else ()) if isinstance(item, Mapping)
    )
