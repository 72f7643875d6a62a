"""What is wrong with a value is said in plain words, and never in pydantic's."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails
from pydantic_core._pydantic_core import list_all_errors

from clawback.actions import ACTIONS
from clawback.model.plain_errors import keys_of, models_of, plain_errors
from clawback.notifications.channels import CHANNEL_TYPES
from clawback.rules.source.documents import (
    CorrelationDocument,
    FilterDocument,
    ListDocument,
    PeopleDocument,
    RuleDocument,
)
from clawback.rules.source.safety import Safety
from clawback.settings import Settings

DOCUMENTS: tuple[type[BaseModel], ...] = (
    RuleDocument,
    CorrelationDocument,
    FilterDocument,
    ListDocument,
    PeopleDocument,
    Safety,
)
MODELS = (*DOCUMENTS, *ACTIONS.values(), *CHANNEL_TYPES, Settings)
ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1,
    2.5,
    float("nan"),
    10**30,
    "",
    "odd value",
    "x" * 5000,
    "2026-13-45",
    "[::1",
    [],
    [None],
    [[]],
    [{}],
    {},
    {"odd": 1},
    {"": []},
    [5, "odd value", {"a": {}}],
)
PYDANTIC = (
    "input",
    "should",
    "Value error",
    "Assertion",
    "pydantic",
    "dictionary",
    "tuple",
    "parse",
    "instance",
    "match pattern",
    "inputs",
    "permitted",
)
OTHERWISE = "is not accepted here"


@pytest.mark.parametrize("kind", list_all_errors(), ids=lambda kind: str(kind["type"]))
def test_no_error_of_pydantic_is_shown(kind: Any) -> None:
    """Whatever a model raises one day, its text is not pydantic's."""
    context = {key: value or "5" for key, value in (kind.get("example_context") or {}).items()}
    numbers = {"gt", "ge", "lt", "le", "multiple_of", "tz_expected", "tz_actual"}
    context |= {
        key: 5
        for key in context
        if key in numbers or key.endswith(("_length", "_version", "_digits", "_places"))
    }
    if kind["type"] in {"value_error", "assertion_error"}:
        context = {"error": ValueError("say this")}
    item = InitErrorDetails(type=kind["type"], loc=("key", "a"), input=object(), ctx=context)
    error = ValidationError.from_exception_data("Model", [item])

    (found,) = plain_errors(error, {"key": {"a": 5}})

    assert found.message
    assert not any(word in str(found) for word in PYDANTIC), found
    assert found.message != error.errors()[0]["msg"]


def error_of(model: type[BaseModel], data: Any) -> ValidationError | None:
    """What is wrong with data, if anything."""
    try:
        model.model_validate(data, extra="forbid")
    except ValidationError as error:
        return error
    return None


def attempts(model: type[BaseModel]) -> Iterator[Any]:
    """Data of a model with an odd value at all of its keys, and at an unknown one."""
    yield from ODD
    for path, inner in models_of(model):
        for value in ODD:
            data: Any = dict.fromkeys((*keys_of(inner, ()), "odd_key"), value)
            for step in reversed(path):
                data = {step: data}
            yield data


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_error_of_our_models_has_words(model: type[BaseModel]) -> None:
    """What can be wrong with rules, safety.yml, channels and settings has a sentence of its own."""
    kinds = set[str]()
    for data in attempts(model):
        error = error_of(model, data)
        kinds |= {item["type"] for item in error.errors()} if error else set()
        for found in plain_errors(error, data, model) if error else []:
            assert OTHERWISE not in found.message, (data, found)
            assert "spelled otherwise" not in found.message, (data, found)
            assert not any(word in found.message for word in PYDANTIC), (data, found)

    assert {"extra_forbidden", "model_type"} <= kinds


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        (Safety, {"hard_delete": "maybe"}, "hard_delete: must be true or false"),
        (Safety, {"hard_delete": 7}, "hard_delete: must be true or false"),
        (Safety, {"allow": {"stable": "x"}}, "allow.stable: must be a list, not a string"),
        (Safety, {"never_block": []}, "must be a mapping of keys and values, not a list"),
        (Safety, {"undo": {"changes": 0}}, "undo.changes: must be more than 0"),
        (Safety, {"undo": 5}, "undo: must be a mapping of keys and values or off"),
        (Safety, {"budgets": {"surge": {"faktor": 5}}}, "did you mean 'factor'?"),
        (Safety, {"undo": {"per": 7}}, "undo.per: 7 has no unit: write 7s, 7m, 7h or 7d"),
        (Safety, {"unverified_approvals": "allow"}, "or refused; did you mean allowed?"),
        (ListDocument, {"values": []}, "values: must not be empty"),
        (ListDocument, {"values": [5]}, "values.0: must be a string, not a number: put it in"),
        (ListDocument, {"values": None}, "values: must be a list, not null"),
    ],
)
def test_an_error_says_what_is_accepted_and_what_was_found(
    model: type[BaseModel], data: Any, said: str
) -> None:
    """The path, the kind of value that is wanted, and what stands there."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(data)
    (found,) = plain_errors(raised.value, data, model)
    assert said in str(found)


def test_a_value_that_has_none_of_several_forms_is_one_error() -> None:
    """And one that has a form up to a mistake inside it is told about the mistake alone."""
    with pytest.raises(ValidationError) as raised:
        Safety.model_validate({"budgets": {"surge": {"least": -5}}})
    found = plain_errors(raised.value, {"budgets": {"surge": {"least": -5}}}, Safety)
    assert [str(one) for one in found] == ["budgets.surge.least: must be more than 0"]
