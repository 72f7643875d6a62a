"""The shapes of rule documents.

Strict models for everything around the detection, and the way from their errors to places in a
file.
"""

from datetime import date as Date  # noqa: N812 - a field is named date
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from clawback.cases import Limit
from clawback.model.durations import parse_duration
from clawback.model.events import EventKind
from clawback.model.mode import Mode
from clawback.rules.source.errors import Code, Problems, did_you_mean
from clawback.rules.source.yaml_reader import Document

Read = TypeVar("Read", bound=BaseModel)
_KIND_AND_TIME = 2


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
        return {
            Status.EXPERIMENTAL: Mode.SHADOW,
            Status.TEST: Mode.APPROVE,
            Status.STABLE: Mode.ENFORCE,
        }[self]


class Level(StrEnum):
    """How grave a match is."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def _read_span(value: object) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("write a duration in quotes or with its unit, such as 1h or 30d")  # noqa: TRY004 - pydantic turns it into a problem
    return parse_duration(value)


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


DURATION = r"^(?:[0-9]+[wdhms])+$"
"""How a duration is written, for the JSON Schema; `parse_duration` decides."""

Span = Annotated[
    timedelta,
    BeforeValidator(
        _read_span, json_schema_input_type=Annotated[str, Field(pattern=DURATION, examples=["1h"])]
    ),
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9_-]+\.[a-z0-9._-]+$", max_length=200)]
Line = Annotated[str, Field(min_length=1, max_length=2000)]


class Logsource(Strict):
    """Which events a rule is for."""

    product: Literal["cloudflare"] = Field(description="Always cloudflare")
    service: Literal["email_security"] = Field(description="Always email_security")
    category: EventKind = Field(description="The kind of event: it decides which fields there are")
    definition: str | None = Field(
        default=None, description="What must be configured for these events to come; for people"
    )


class LimitDocument(Strict):
    """A budget: how much of one kind in how long."""

    messages: int | None = Field(default=None, gt=0, description="How many messages may be touched")
    blocks: int | None = Field(default=None, gt=0, description="How many senders may be blocked")
    reclassifications: int | None = Field(
        default=None, gt=0, description="How many reclassifications may be asked for"
    )
    policies: int | None = Field(
        default=None,
        gt=0,
        description="How many other policies may be made: allowed senders, trusted domains",
    )
    per: Span = Field(
        gt=timedelta(),
        le=timedelta(days=7),
        description="In which sliding time, such as 1h; up to 7d",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "LimitDocument":
        if len(self.model_dump(exclude_none=True)) != _KIND_AND_TIME:
            raise ValueError(
                "write exactly one of messages, blocks, reclassifications, policies, and per"
            )
        return self

    @property
    def limit(self) -> Limit:
        """The same as it is frozen into a case."""
        return Limit(**self.model_dump(exclude_none=True))


Limits = Annotated[tuple[LimitDocument, ...], BeforeValidator(_one_or_many)]
"""One budget, or a list of them that all hold."""


class ResponseDocument(Strict):
    """What is done about a match."""

    mode: Mode = Field(
        description="shadow records what would be done, approve asks first, enforce acts; the status caps it"
    )
    group_by: tuple[Line, ...] | None = Field(
        default=None,
        alias="group-by",
        min_length=1,
        description="Fields whose values share a case; the campaign (edf_hash) unless told",
    )
    actions: tuple[dict[str, Any], ...] = Field(
        min_length=1, description="What is done, in this order"
    )
    limits: Limits = Field(
        default=(),
        description="How much in how long, such as {messages: 500, per: 1h}; over it the case is held",
    )


class EventTest(Strict):
    """One event and whether the rule matches it."""

    name: Line = Field(description="What it shows; unique within the rule")
    event: dict[str, Any] = Field(
        description="The fields of the event that matter, nested as the API nests them"
    )
    expect: Literal["match", "no match"] = Field(description="Whether the rule matches it")


class Firing(Strict):
    """How many groups of a correlation reach their threshold, and one of them."""

    fires: int = Field(ge=0, description="In how many groups the threshold is reached")
    group: dict[str, str | None] | None = Field(
        default=None, description="One of those groups: the group-by fields with their values"
    )


class WindowTest(Strict):
    """Events in time (`at`, relative) and whether the correlation fires."""

    name: Line = Field(description="What it shows; unique within the rule")
    events: tuple[dict[str, Any], ...] = Field(
        min_length=1, description="Partial events, each with `at`: its time since the first"
    )
    expect: Firing = Field(description="How often it fires")


class Header(Strict):
    """The keys that every document may have, as Sigma has them."""

    title: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="What it is about, in one line"
    )
    name: Name = Field(
        description="Unique; cases, metrics and the audit call the rule so, and the file is named after it if it responds"
    )
    id: UUID | None = Field(
        default=None, description="A UUID, never reused; a rule that responds has one"
    )
    status: Status | None = Field(
        default=None,
        description="How far it is trusted: experimental shadows, test asks, stable acts",
    )
    description: str | None = Field(default=None, description="What it finds and why that matters")
    author: str | None = Field(default=None, description="Who wrote it")
    date: Date | None = Field(default=None, description="When it was written, YYYY-MM-DD")
    modified: Date | None = Field(default=None, description="When it was last changed, YYYY-MM-DD")
    references: tuple[Line, ...] = Field(default=(), description="Where to read on")
    tags: tuple[Tag, ...] = Field(
        default=(), description="ATT&CK techniques and tactics, such as attack.t1566"
    )
    falsepositives: tuple[Line, ...] = Field(
        default=(), description="What harmless mail it may match"
    )
    level: Level = Field(default=Level.MEDIUM, description="How grave a match is")
    license: str | None = Field(default=None, description="Its licence, as an SPDX identifier")
    related: tuple[dict[str, str], ...] = Field(
        default=(), description="Other rules, each with id and type"
    )
    taxonomy: Literal["sigma"] = Field(default="sigma", description="Always sigma")
    fields: tuple[Line, ...] = Field(
        default=(), description="Fields worth a look in a match; for people"
    )
    scope: tuple[Line, ...] = Field(default=(), description="Where it applies; for people")


class RuleDocument(Header):
    """A rule on single events."""

    logsource: Logsource = Field(description="Which events it is for")
    detection: dict[str, Any] = Field(
        min_length=1, description="Selections by name, and the condition that joins them"
    )
    response: ResponseDocument | None = Field(
        default=None, description="What is done; without it the rule is a building block"
    )
    tests: tuple[EventTest, ...] = Field(
        default=(), description="Events that it matches and does not; a rule that responds has both"
    )


class CorrelationBody(Strict):
    """What a correlation counts."""

    type: str = Field(
        description="What is counted: events, different values of a field, or different rules"
    )
    rules: Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="Names or ids of the rules it watches"
    )
    group_by: Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)] = Field(
        default=(),
        alias="group-by",
        description="Fields, or aliases, whose values are watched apart; they make the case",
    )
    timespan: str = Field(description="How long the sliding window is, in event time, such as 24h")
    condition: dict[str, Any] | str | None = Field(
        default=None, description="How many: gte or gt; for value_count of which field"
    )
    aliases: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Names for fields that differ between the rules"
    )
    generate: bool | None = Field(
        default=None,
        description="Not supported: a rule that is watched acts when it responds itself",
    )


class CorrelationDocument(Header):
    """A rule on several events in a sliding window."""

    correlation: CorrelationBody = Field(
        description="What is awaited, of which rules, in what time"
    )
    response: ResponseDocument | None = Field(
        default=None, description="What is done once it has come"
    )
    tests: tuple[WindowTest, ...] = Field(
        default=(), description="Events in time, and how often it fires"
    )


class FilterDocument(Header):
    """An exception to rules: a Sigma filter with an owner and, mostly, an end.

    `expires` is the last day on which it applies, in UTC.
    """

    logsource: Logsource = Field(description="Which events it is for")
    filter: dict[str, Any] = Field(
        min_length=1,
        description="For which rules it is, selections by name, and the condition that must also hold",
    )
    owner: Line = Field(description="Who answers for it: an address")
    expires: Date | None = Field(
        default=None, description="The last day on which it applies, YYYY-MM-DD in UTC"
    )


class ListDocument(Strict):
    """The values that `%name%` stands for; the file's name is the list's."""

    title: str | None = Field(default=None, description="What the list is of")
    description: str | None = Field(default=None, description="Who fills it, and with what")
    values: tuple[Line, ...] = Field(
        min_length=1, description="The values; `*` and `?` are wildcards"
    )


def read_model(model: type[Read], document: Document, problems: Problems) -> Read | None:
    """Read a document as a model; None, and problems, where it is not one."""
    if not isinstance(document.data, dict):
        problems.add(
            document.place,
            Code.WRONG_VALUE,
            "a document must be a mapping",
            text=document.data,
            remedy="write keys and values",
        )
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            if not (
                item["type"] == "literal_error" and isinstance(item["input"], dict)
            ):  # the other branch says what is wrong with it
                _note(model, document, item, problems)
        return None


def _note(
    model: type[BaseModel], document: Document, item: ErrorDetails, problems: Problems
) -> None:
    path = _path_of(document, item)
    if item["type"] == "extra_forbidden":
        known = _keys_of(model, path[:-1])
        place = document.key_at(*path)
        problems.add(
            place,
            Code.UNKNOWN_KEY,
            "there is no such key here",
            text=path[-1],
            remedy=did_you_mean(str(path[-1]), known),
        )
    elif item["type"] == "missing":
        where = f" of {path[-2]}" if len(path) > 1 else ""
        problems.add(
            document.value_at(*path[:-1]),
            Code.MISSING_KEY,
            f"{path[-1]}{where} is missing",
            remedy=f"add {path[-1]}:",
        )
    else:
        said = (
            "must be a mapping"
            if item["type"] == "model_type"
            else item["msg"].removeprefix("Value error, ")
        )
        problems.add(
            document.value_at(*path),
            Code.WRONG_VALUE,
            f"{'.'.join(map(str, path))}: {said}",
            text=item["input"],
        )


def _path_of(document: Document, item: ErrorDetails) -> tuple[str | int, ...]:
    """Give the way to a value as the document has it.

    Pydantic also names the branches of unions that it tried.
    """
    path: list[str | int] = []
    node = document.data
    for step in item["loc"]:
        is_there = (
            step in node
            if isinstance(node, dict)
            else isinstance(node, list) and isinstance(step, int) and step < len(node)
        )
        if is_there:
            node = node[step]
        if (
            is_there
            or isinstance(step, int)
            or (item["type"] == "missing" and step is item["loc"][-1])
        ):
            path.append(step)
    return tuple(path)


def _keys_of(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    for step in path:
        if isinstance(step, str):
            annotation = next(
                (
                    field.annotation
                    for name, field in model.model_fields.items()
                    if step in (name, field.alias)
                ),
                None,
            )
            model = _model_in(annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
