"""What pydantic finds wrong, in words for whoever wrote the value.

Each problem names what is accepted and what was found; no sentence of pydantic's is shown.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from clawback.model.durations import format_duration
from clawback.model.suggestions import did_you_mean, find_near

Path = tuple[str | int, ...]

_SPELLINGS: dict[str, str] = {}
_LONGEST_WORD = 60
_MOST_NEAR = 3


def spelling(pattern: str, words: str, *, max_length: int | None = None) -> Any:
    """Constrain a string to a pattern, which problems describe with `words`."""
    _SPELLINGS[pattern] = words
    return Field(pattern=pattern, max_length=max_length)


@dataclass(frozen=True, slots=True)
class PlainError:
    """One wrong value: its path in the data, what is wrong, and what to write.

    `type` is pydantic's. `value` is what was found there; it may be a secret.
    """

    path: Path
    type: str
    message: str
    value: object = None
    remedy: str = ""

    @property
    def is_unknown_key(self) -> bool:
        """Whether the last key of the path does not exist."""
        return self.type == "extra_forbidden"

    @property
    def is_missing_key(self) -> bool:
        """Whether the last key of the path is needed and not there."""
        return self.type == "missing"

    @property
    def dotted(self) -> str:
        """The path as people write it: `limits.0.per`."""
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.dotted}: {self.message}{remedy}" if self.path else f"{self.message}{remedy}"


def plain_errors(
    error: ValidationError, data: object, model: type[BaseModel] | None = None
) -> list[PlainError]:
    """Translate the errors of a validation of `data`, in their order.

    Where a value may have several forms and has none of them, its errors are one. `model` is needed
    for suggestions of keys.
    """
    found: dict[tuple[Path, bool], list[PlainError]] = {}
    for item in error.errors(include_url=False):
        if _is_consequence(item):
            continue
        path = _path_in(data, item)
        is_form = item["type"] not in {"extra_forbidden", "missing", "value_error"}
        found.setdefault((path, is_form), []).append(_translate(item, path, model))

    explained = {path[:-1] for path, _ in found if path}
    explained |= {path for path, is_form in found if not is_form}
    return [
        one
        for (path, is_form), same in found.items()
        # Of several forms one fits, up to what is wrong inside it.
        if not (is_form and path in explained and all(_is_other_form(one) for one in same))
        for one in ([_merge(same)] if is_form else same)
    ]


def _is_consequence(item: ErrorDetails) -> bool:
    """Whether a list is called short because items of it are wrong, which are named themselves."""
    value = item["input"]
    return (
        item["type"] == "too_short"
        and isinstance(value, list | tuple | dict)
        and len(value) >= item["ctx"]["min_length"]
    )


def _is_other_form(error: PlainError) -> bool:
    return isinstance(error.value, dict | list) and error.type in _SCALARS


def _path_in(data: object, item: ErrorDetails) -> Path:
    """Give the path of an error in the data, without the union branches that pydantic adds."""
    path: list[str | int] = []
    node = data
    for at, step in enumerate(item["loc"]):
        is_there = (
            step in node
            if isinstance(node, dict)
            else isinstance(node, list | tuple) and isinstance(step, int) and step < len(node)
        )
        if is_there:
            node = node[step]  # type: ignore[index] # it is there

        is_absent = item["type"] == "missing" and at == len(item["loc"]) - 1
        if is_there or is_absent:
            path.append(step)

    return tuple(path)


# ---- one error


def _translate(item: ErrorDetails, path: Path, model: type[BaseModel] | None) -> PlainError:
    kind, context, value = item["type"], item.get("ctx", {}), item["input"]
    if kind == "missing":
        where = f" of {path[-2]}" if len(path) > 1 else ""
        return PlainError(path, kind, f"{path[-1]}{where} is missing")
    if kind == "extra_forbidden":
        known = keys_of(model, path[:-1]) if model is not None else []
        remedy = did_you_mean(str(path[-1]), known) if known and path else ""
        return PlainError(path, kind, "there is no such key here", value, remedy)
    if kind in {"value_error", "assertion_error"}:
        return PlainError(path, kind, str(context.get("error", "it is not accepted")), value)

    if kind.startswith("union_tag_"):
        key = str(context["discriminator"]).strip("'")
        if kind == "union_tag_not_found":
            return PlainError((*path, key), "missing", f"{key} of {path[-1]} is missing")
        path, value = (*path, key), context["tag"]

    if choices := _choices_of(kind, context):
        said = f"must be {choices[0]}" if len(choices) == 1 else f"must be one of {_join(choices)}"
        return PlainError(path, kind, said, value, _near_choice(value, choices))
    return PlainError(path, kind, _describe(kind, context, value), value)


def _describe(kind: str, context: Mapping[str, Any], value: object) -> str:
    describe = _SENTENCES.get(kind)
    if describe is not None:
        return describe(context)

    wanted = next((words for start, words in _KINDS.items() if kind.startswith(start)), None)
    if wanted is None:
        return "is not accepted here"
    is_parsed = isinstance(value, str) and kind.endswith(("_parsing", "_inexact"))
    found = "" if is_parsed or kind.endswith("_version") else f", not {_describe_kind(value)}"
    in_quotes = kind == "string_type" and isinstance(value, bool | int | float)
    return f"must be {wanted}{found}" + (": put it in quotes" if in_quotes else "")


_KINDS = {
    "string_": "a string",
    "int_": "a whole number",
    "float_": "a number",
    "decimal_": "a number",
    "finite_": "a finite number",
    "bool_": "true or false",
    "none_": "null",
    "date_": "a date, YYYY-MM-DD",
    "datetime_": "a time such as 2026-11-29T12:00:00Z",
    "time_delta_": "a duration such as 30d",
    "time_": "a time such as 12:00",
    "timezone_": "a time with its offset, such as 2026-11-29T12:00:00Z",
    "uuid_": "a UUID, as uuidgen prints it",
    "url_": "a URL",
    "path_": "a path",
    "bytes_": "a string",
    "model_": "a mapping of keys and values",
    "dataclass_": "a mapping of keys and values",
    "dict_": "a mapping of keys and values",
    "mapping_": "a mapping of keys and values",
    "list_": "a list",
    "tuple_": "a list",
    "set_": "a list",
    "frozen_set_": "a list",
    "iterable_": "a list",
}
"""What each family of errors wants, by how its types begin."""

_SCALARS = frozenset({"literal_error", "enum", "string_type", "bool_type", "none_required"})
_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda found: f"must be more than {_number(found['gt'])}",
    "greater_than_equal": lambda found: f"must be at least {_number(found['ge'])}",
    "less_than": lambda found: f"must be less than {_number(found['lt'])}",
    "less_than_equal": lambda found: f"must be at most {_number(found['le'])}",
    "multiple_of": lambda found: f"must be a multiple of {_number(found['multiple_of'])}",
    "too_short": lambda found: _at_least(found["min_length"], "item"),
    "too_long": lambda found: f"must have at most {found['max_length']:,} items",
    "string_too_short": lambda found: _at_least(found["min_length"], "character"),
    "string_too_long": lambda found: f"must have at most {found['max_length']:,} characters",
    "string_pattern_mismatch": lambda found: (
        f"must be {_SPELLINGS.get(found['pattern'], 'spelled otherwise')}"
    ),
    "string_unicode": lambda _: "must be valid Unicode",
    "string_not_ascii": lambda _: "must have ASCII characters only",
    "invalid_key": lambda _: "must have strings as keys",
    "int_parsing_size": lambda _: "is too large a number",
    "int_from_float": lambda _: "must be a whole number",
    "finite_number": lambda _: "must be a finite number",
}


def _at_least(count: int, noun: str) -> str:
    if count == 1:
        return "must not be empty"
    return f"must have at least {count:,} {noun}s"


def _number(bound: object) -> str:
    if not isinstance(bound, timedelta):
        return f"{bound:,}" if isinstance(bound, int | float) else str(bound)
    return format_duration(timedelta(seconds=ceil(bound.total_seconds())))


def _describe_kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true or false"
    kinds = {int: "a number", float: "a number", str: "a string", dict: "a mapping"}
    found = next((words for kind, words in kinds.items() if isinstance(value, kind)), "a list")
    return found if value != "" else "an empty string"


# ---- choices


def _choices_of(kind: str, context: Mapping[str, Any]) -> list[str]:
    key = {"literal_error": "expected", "enum": "expected", "union_tag_invalid": "expected_tags"}
    quoted: list[str] = _QUOTED.findall(str(context.get(key.get(kind, ""), "")))
    return quoted


_QUOTED = re.compile(r"'([^']*)'")


def _near_choice(value: object, choices: Sequence[str]) -> str:
    if not isinstance(value, str) or len(choices) == 1:
        return ""
    near = find_near(value[:_LONGEST_WORD], choices)
    return f"did you mean {_join(near)}?" if 0 < len(near) <= _MOST_NEAR else ""


def _join(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _merge(errors: Sequence[PlainError]) -> PlainError:
    """Make one error of those of a value that has none of several forms."""
    first = errors[0]
    if len(errors) == 1:
        return first

    wanted = [one.message.removeprefix("must be ").partition(", not ")[0] for one in errors]
    remedy = next((one.remedy for one in errors if one.remedy), "")
    message = f"must be {' or '.join(dict.fromkeys(wanted))}"
    return PlainError(first.path, first.type, message, first.value, remedy)


# ---- keys of models


def keys_of(model: type[BaseModel], path: Path) -> list[str]:
    """Give the keys that a model has at a path, as they are written."""
    found = model_at(model, path)
    return [field.alias or name for name, field in found.model_fields.items()]


def model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """Give the model at a path in the data of another one, or the last one above it."""
    for step in path:
        if isinstance(step, str):
            field = next(
                (
                    field
                    for name, field in model.model_fields.items()
                    if step in (name, field.alias)
                ),
                None,
            )
            model = _model_in(field.annotation if field else None) or model

    return model


def models_of(model: type[BaseModel], path: Path = ()) -> Iterator[tuple[Path, type[BaseModel]]]:
    """Give a model and those inside it, each with its path."""
    yield path, model
    for name, field in model.model_fields.items():
        if (inner := _model_in(field.annotation)) is not None:
            yield from models_of(inner, (*path, field.alias or name))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
