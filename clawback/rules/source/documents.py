"""Strict models of rule documents; validation errors are mapped to places in the file.

Detections are checked elsewhere: see `sigma.py`.
"""

from dataclasses import replace
from datetime import date as Date  # noqa: N812 - a field is named date
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from clawback.actions import BudgetKind
from clawback.cases import Limit
from clawback.model.durations import Written
from clawback.model.events import EventKind
from clawback.model.level import Level
from clawback.model.mode import Mode
from clawback.model.plain_errors import PlainError, plain_errors, spelling
from clawback.rules.source.errors import Code, Problems
from clawback.rules.source.key_hints import key_remedy
from clawback.rules.source.yaml_reader import Document

Read = TypeVar("Read", bound=BaseModel)
_KIND_AND_TIME = 2


class Strict(BaseModel):
    """A part of a rule document: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class Status(StrEnum):
    """How mature a rule is; it limits the mode."""

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


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


Timespan = Annotated[timedelta, Written(longest=timedelta(days=365), is_single=True)]
"""The timespan of a correlation, as in Sigma."""
Name = Annotated[
    str,
    spelling(
        r"^[a-z][a-z0-9_]{0,63}$",
        "a name such as quarantine_bec: up to 64 of a-z, 0-9 and _, a letter first",
    ),
]
Tag = Annotated[
    str,
    spelling(
        r"^[a-z0-9_-]+\.[a-z0-9._-]+$",
        "a tag such as attack.t1566: a namespace, a dot and a name, in lower case",
        max_length=200,
    ),
]
Line = Annotated[str, Field(min_length=1, max_length=2000)]


class Logsource(Strict):
    """The kind of events a rule applies to."""

    product: Literal["cloudflare"] = Field(description="Always cloudflare")
    service: Literal["email_security"] = Field(description="Always email_security")
    category: EventKind = Field(description="The kind of event, which determines the fields")
    definition: str | None = Field(
        default=None, description="What must be configured to receive these events; informational"
    )


class LimitDocument(Strict):
    """A budget: the maximum of one kind of change in a sliding window."""

    messages: int | None = Field(
        default=None, gt=0, description="Maximum number of messages acted on"
    )
    blocks: int | None = Field(default=None, gt=0, description="Maximum number of blocked senders")
    reclassifications: int | None = Field(
        default=None, gt=0, description="Maximum number of reclassifications"
    )
    policies: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of other policies created: allowed senders, trusted domains",
    )
    held_messages: int | None = Field(
        default=None, gt=0, description="Maximum number of messages moved while cases are held"
    )
    per: Annotated[timedelta, Written(longest=timedelta(days=7))] = Field(
        description="The sliding window, such as 1h; at most 7d"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "LimitDocument":
        if len(self.model_dump(exclude_none=True)) != _KIND_AND_TIME:
            raise ValueError(f"write exactly one of {', '.join(BudgetKind)}, and per")
        return self

    @property
    def limit(self) -> Limit:
        """The budget as a case carries it."""
        return Limit(**self.model_dump(exclude_none=True))


Limits = Annotated[tuple[LimitDocument, ...], BeforeValidator(_one_or_many)]
"""One budget, or a list of budgets that all apply."""


class ResponseDocument(Strict):
    """The response to a match."""

    mode: Mode = Field(
        description="shadow records only, approve asks first, enforce acts; limited by the status"
    )
    group_by: tuple[Line, ...] | None = Field(
        default=None,
        alias="group-by",
        min_length=1,
        description="Fields whose values identify a case, default the campaign (edf_hash)",
    )
    actions: tuple[dict[str, Any], ...] = Field(min_length=1, description="The actions, in order")
    while_held: dict[str, Any] | None = Field(
        default=None,
        alias="while-held",
        description="A move to JunkEmail or DeletedItems while the case waits for people; it is "
        "taken back if they deny it. Needs status stable",
    )
    limits: Limits = Field(
        default=(),
        description="Budgets such as {messages: 500, per: 1h}; a case that exceeds one is held",
    )


class EventTest(Strict):
    """A test: one event, and whether the rule matches it."""

    name: Line = Field(description="What the test shows; unique within the rule")
    event: dict[str, Any] = Field(
        description="The relevant fields of the event, nested as in the API"
    )
    expect: Literal["match", "no match"] = Field(description="Whether the rule matches it")


class Firing(Strict):
    """The expected number of groups that reach the threshold, and optionally one of them."""

    fires: int = Field(ge=0, description="Number of groups that reach the threshold")
    group: dict[str, str | None] | None = Field(
        default=None, description="One of these groups: the group-by fields with their values"
    )


class WindowTest(Strict):
    """A test of a correlation: events with relative times (`at`), and how often it fires."""

    name: Line = Field(description="What the test shows; unique within the rule")
    events: tuple[dict[str, Any], ...] = Field(
        min_length=1, description="Partial events, each with `at`: the time since the first"
    )
    expect: Firing = Field(description="Expected number of firing groups")


class Header(Strict):
    """The keys that every document may have, as in Sigma."""

    title: Annotated[str, Field(min_length=1, max_length=256)] = Field(description="A short title")
    name: Name = Field(
        description="Unique name, used in cases, metrics, audit; with a response also the file name"
    )
    id: UUID | None = Field(
        default=None, description="A UUID, never reused; required with a response"
    )
    status: Status | None = Field(
        default=None,
        description="Maturity: experimental may shadow, test may ask, stable may act",
    )
    description: str | None = Field(default=None, description="What it finds, and why that matters")
    author: str | None = Field(default=None, description="Who wrote it")
    date: Date | None = Field(default=None, description="Date of creation, YYYY-MM-DD")
    modified: Date | None = Field(default=None, description="Date of the last change, YYYY-MM-DD")
    references: tuple[Line, ...] = Field(default=(), description="Links to further information")
    tags: tuple[Tag, ...] = Field(
        default=(), description="ATT&CK techniques and tactics, such as attack.t1566"
    )
    falsepositives: tuple[Line, ...] = Field(
        default=(), description="Legitimate mail that it may match"
    )
    level: Level = Field(default=Level.MEDIUM, description="Severity of a match")
    license: str | None = Field(default=None, description="Its licence, as an SPDX identifier")
    related: tuple[dict[str, str], ...] = Field(
        default=(), description="Other rules, each with id and type"
    )
    taxonomy: Literal["sigma"] = Field(default="sigma", description="Always sigma")
    fields: tuple[Line, ...] = Field(
        default=(), description="Fields of interest in a match; informational"
    )
    scope: tuple[Line, ...] = Field(default=(), description="Where it applies; informational")


class RuleDocument(Header):
    """A rule on single events."""

    logsource: Logsource = Field(description="The events it applies to")
    detection: dict[str, Any] = Field(
        min_length=1, description="Selections by name, and the condition that joins them"
    )
    response: ResponseDocument | None = Field(
        default=None, description="The response; without it the rule is a building block"
    )
    tests: tuple[EventTest, ...] = Field(
        default=(), description="Positive and negative tests; both are required with a response"
    )


class CorrelationBody(Strict):
    """The threshold of a correlation."""

    type: str = Field(
        description="What is counted: events, distinct values of a field, or distinct rules"
    )
    rules: Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="Names or ids of the rules whose matches count"
    )
    group_by: Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)] = Field(
        default=(),
        alias="group-by",
        description="Fields or aliases by which events are grouped; they identify the case",
    )
    timespan: Timespan = Field(
        description="Length of the sliding window in event time, such as 24h; at most 365d"
    )
    condition: dict[str, Any] | str | None = Field(
        default=None, description="The threshold: gte or gt, and for value_count the field"
    )
    aliases: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Aliases for fields that have different names in the rules",
    )
    generate: bool | None = Field(
        default=None,
        description="Not supported: a referenced rule acts if it has a response of its own",
    )


class CorrelationDocument(Header):
    """A rule on several events in a sliding window."""

    correlation: CorrelationBody = Field(description="The threshold, the rules and the window")
    response: ResponseDocument | None = Field(
        default=None, description="The response when the threshold is reached"
    )
    tests: tuple[WindowTest, ...] = Field(
        default=(), description="Tests: events with times, and how often it fires"
    )


class FilterDocument(Header):
    """An exception to rules: a Sigma filter with an owner and usually an expiry date."""

    logsource: Logsource = Field(description="The events it applies to")
    filter: dict[str, Any] = Field(
        min_length=1,
        description="The rules it applies to, named selections, and the condition to meet",
    )
    owner: Line = Field(description="Who is responsible for it: an email address")
    expires: Date | None = Field(
        default=None, description="The last day on which it applies, YYYY-MM-DD in UTC"
    )


class ListDocument(Strict):
    """The values of a placeholder `%name%`; the list is named after its file."""

    title: str | None = Field(default=None, description="What the list contains")
    description: str | None = Field(default=None, description="Who maintains it, and with what")
    values: tuple[Line, ...] = Field(
        min_length=1, description="The values; `*` and `?` are wildcards"
    )


class PeopleDocument(Strict):
    """A list of people: their names stand for `%name%`, and `impersonates` finds who bears them."""

    title: str | None = Field(default=None, description="Who they are")
    description: str | None = Field(default=None, description="Who maintains it, and with what")
    people: dict[Line, Annotated[tuple[Line, ...], BeforeValidator(_one_or_many)]] = Field(
        min_length=1,
        description="Names as in From, each with the addresses of the person; `*` is a wildcard",
    )


def read_model(model: type[Read], document: Document, problems: Problems) -> Read | None:
    """Validate a document; None, and problems, if it is invalid."""
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
        for one in plain_errors(error, document.data, model):
            hint = None
            if one.is_unknown_key:
                hint = key_remedy(model, one.path[:-1], str(one.path[-1]))
            add_error(document, replace(one, remedy=hint or one.remedy), problems)
        return None


def add_error(
    document: Document,
    error: PlainError,
    problems: Problems,
    *,
    below: tuple[str | int, ...] = (),
    code: Code | None = None,
) -> None:
    """Add what is wrong with a value to the problems, at its place in a document.

    The path of the error begins `below` a path of the document.
    """
    path = (*below, *error.path)
    message, remedy, text = error.message, error.remedy, error.value
    if error.is_unknown_key:
        place, usual, text = document.key_at(*path), Code.UNKNOWN_KEY, path[-1]
    elif error.is_missing_key:
        place, usual, text = document.value_at(*path[:-1]), Code.MISSING_KEY, ""
        remedy = f"add {path[-1]}:"
    else:
        place, usual = document.value_at(*path), Code.WRONG_VALUE
        message = f"{'.'.join(map(str, path))}: {message}" if path else message

    problems.add(place, code or usual, message, text=text, remedy=remedy)
