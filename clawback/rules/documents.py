"""The shapes of rule documents: strict models for everything around the detection, and the way from their errors to places in a file."""

from datetime import date as Date  # noqa: N812 (a field is called date)
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from clawback.actions import Mode
from clawback.durations import parse_duration
from clawback.events import EventKind
from clawback.rules.errors import Code, Problems, did_you_mean
from clawback.rules.source import Document

Read = TypeVar("Read", bound=BaseModel)
_BRANCHES = frozenset({"str", "dict[str,any]"})


class Strict(BaseModel):
    """A part of a rule document: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class Status(StrEnum):
    """How far a rule is trusted."""

    EXPERIMENTAL = "experimental"
    TEST = "test"
    STABLE = "stable"

    @property
    def ceiling(self) -> Mode:
        """The strongest mode a rule of this status may have."""
        return {Status.EXPERIMENTAL: Mode.SHADOW, Status.TEST: Mode.APPROVE, Status.STABLE: Mode.ENFORCE}[self]


class Level(StrEnum):
    """How grave a match is."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def _read_span(value: object) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("write a duration in quotes or with its unit, such as 1h or 30d")  # noqa: TRY004 (pydantic takes ValueError)
    return parse_duration(value)


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


Span = Annotated[timedelta, BeforeValidator(_read_span, json_schema_input_type=str)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9_-]+\.[a-z0-9._-]+$", max_length=200)]
Line = Annotated[str, Field(min_length=1, max_length=2000)]


class Logsource(Strict):
    """Which events a rule is for."""

    product: Literal["cloudflare"]
    service: Literal["email_security"]
    category: EventKind
    definition: str | None = None


class LimitDocument(Strict):
    """A budget: how many messages in how long."""

    messages: int = Field(gt=0)
    per: Span = Field(gt=timedelta())


Limits = Annotated[tuple[LimitDocument, ...], BeforeValidator(_one_or_many)]
"""One budget, or a list of them that all hold."""


class ResponseDocument(Strict):
    """What is done about a match."""

    mode: Mode
    group_by: tuple[Line, ...] | None = Field(default=None, alias="group-by", min_length=1)
    actions: tuple[dict[str, Any], ...] = Field(min_length=1)
    limits: Limits = ()


class EventTest(Strict):
    """One event and whether the rule matches it."""

    name: Line
    event: dict[str, Any]
    expect: Literal["match", "no match"]


class Firing(Strict):
    """How many groups of a correlation reach their threshold, and one of them."""

    fires: int = Field(ge=0)
    group: dict[str, str | None] | None = None


class WindowTest(Strict):
    """Events in time (`at`, relative) and whether the correlation fires."""

    name: Line
    events: tuple[dict[str, Any], ...] = Field(min_length=1)
    expect: Firing


class Header(Strict):
    """The keys that every document may have, as Sigma has them."""

    title: Annotated[str, Field(min_length=1, max_length=256)]
    name: Name
    id: UUID | None = None
    status: Status | None = None
    description: str | None = None
    author: str | None = None
    date: Date | None = None
    modified: Date | None = None
    references: tuple[Line, ...] = ()
    tags: tuple[Tag, ...] = ()
    falsepositives: tuple[Line, ...] = ()
    level: Level = Level.MEDIUM
    license: str | None = None
    related: tuple[dict[str, str], ...] = ()
    taxonomy: Literal["sigma"] = "sigma"
    fields: tuple[Line, ...] = ()
    scope: tuple[Line, ...] = ()


class RuleDocument(Header):
    """A rule on single events."""

    logsource: Logsource
    detection: dict[str, Any] = Field(min_length=1)
    response: ResponseDocument | None = None
    tests: tuple[EventTest, ...] = ()


class CorrelationBody(Strict):
    """What a correlation counts."""

    type: str
    rules: Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)] = ()
    group_by: Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)] = Field(default=(), alias="group-by")
    timespan: str
    condition: dict[str, Any] | str | None = None
    aliases: dict[str, dict[str, str]] = Field(default_factory=dict)
    generate: bool | None = None


class CorrelationDocument(Header):
    """A rule on several events in a sliding window."""

    correlation: CorrelationBody
    response: ResponseDocument | None = None
    tests: tuple[WindowTest, ...] = ()


class FilterDocument(Header):
    """An exception to rules: a Sigma filter with an owner and, mostly, an end. `expires` is the last day on which it applies, in UTC."""

    logsource: Logsource
    filter: dict[str, Any] = Field(min_length=1)
    owner: Line
    expires: Date | None = None


class ListDocument(Strict):
    """The values that `%name%` stands for; the file's name is the list's."""

    title: str | None = None
    description: str | None = None
    values: tuple[Line, ...] = Field(min_length=1)


def read_model(model: type[Read], document: Document, problems: Problems) -> Read | None:
    """Read a document as a model; None, and problems, where it is not one."""
    if not isinstance(document.data, dict):
        problems.add(document.place, Code.WRONG_VALUE, "a document is a mapping", text=document.data, remedy="write keys and values")
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            _note(model, document, item, problems)
        return None


def _note(model: type[BaseModel], document: Document, item: ErrorDetails, problems: Problems) -> None:
    path = tuple(step for step in item["loc"] if step not in _BRANCHES)
    if item["type"] == "extra_forbidden":
        known = _keys_of(model, path[:-1])
        place = document.key_at(*path)
        problems.add(place, Code.UNKNOWN_KEY, "there is no such key here", text=path[-1], remedy=did_you_mean(str(path[-1]), known))
    elif item["type"] == "missing":
        where = f" of {path[-2]}" if len(path) > 1 else ""
        problems.add(document.value_at(*path[:-1]), Code.MISSING_KEY, f"{path[-1]}{where} is missing", remedy=f"add {path[-1]}:")
    else:
        said = item["msg"].removeprefix("Value error, ")
        problems.add(document.value_at(*path), Code.WRONG_VALUE, f"{'.'.join(map(str, path))}: {said}", text=item["input"])


def _keys_of(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    for step in path:
        if isinstance(step, str):
            annotation = next(field.annotation for name, field in model.model_fields.items() if step in (name, field.alias))
            model = _model_in(annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
