"""Refuses policies whose pattern can never be what their kind says, such as a domain from `{from}`.

Each template is filled with a sample of the type of its field; the action judges the result as it
would when it acts.
"""

from collections.abc import Iterable, Iterator, Mapping

from clawback.actions import PolicyAction
from clawback.rules.source.errors import Code, Problems
from clawback.rules.source.field_catalogue import Field, FieldType, find_field
from clawback.rules.source.loaded import Loaded, LoadedRule
from clawback.rules.source.responses import TEMPLATE

_SAMPLES: Mapping[FieldType, str] = {
    FieldType.ADDRESS: "somebody@sample.com",
    FieldType.DOMAIN: "sample.com",
    FieldType.IP: "9.9.9.9",
    FieldType.NUMBER: "7",
    FieldType.BOOLEAN: "true",
    FieldType.TIME: "2026-01-01T00:00:00Z",
}
_TEXT = "some text"
_REMEDIES = {
    "not_an_address": "use a field that is an address, such as from",
    "not_a_domain": "use kind: email, or a field that is a domain, such as from_domain",
    "not_an_ip": "use a field that is an IP address, such as smtp_previous_hop_ip",
}
_TYPES: Mapping[FieldType, str] = {
    FieldType.ADDRESS: "an address",
    FieldType.DOMAIN: "a domain",
    FieldType.IP: "an IP address",
    FieldType.STRING: "a string",
    FieldType.ENUM: "one of a few words",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.TIME: "a time",
}

Rules = Mapping[str, LoadedRule]


def check_pattern_types(loaded: Loaded) -> None:
    """Check the patterns of all rules of a folder."""
    rules = {name: rule for rule in loaded.rules for name in (rule.read.name, str(rule.read.id))}
    for rule in loaded.rules:
        for index, action in enumerate(rule.response.actions if rule.response else ()):
            if isinstance(action, PolicyAction):
                _check(rules, rule, index, action, loaded.problems)


def _check(
    rules: Rules, rule: LoadedRule, index: int, action: PolicyAction, problems: Problems
) -> None:
    names = dict.fromkeys(name for text in action.templates for name in TEMPLATE.findall(text))
    fields = {name: tuple(_fields(rules, rule, name)) for name in names}
    if not all(fields.values()) or (not names and "{" in action.label):
        return  # a template that names nothing, or is not filled in, is another problem

    for turn in range(max(map(len, fields.values()), default=1)):
        chosen = {name: some[turn % len(some)] for name, some in fields.items()}
        if (problem := _fill(action, chosen).problem) is not None:
            place = rule.document.value_at("response", "actions", _index(rule, index), action.name)
            problems.add(
                place,
                Code.ACTION,
                f"{action.name} would be refused: {_describe(problem, chosen.values())}",
                text=action.label,
                remedy=_REMEDIES.get(problem, "write a pattern that the API takes"),
            )
            return


def _index(rule: LoadedRule, index: int) -> int:
    """The position in the file of an action, which notifications may stand before."""
    written = [next(iter(item)) for item in rule.document.data["response"]["actions"]]
    actions = rule.response.actions if rule.response else ()
    positions = [at for at, name in enumerate(written) if name in {one.name for one in actions}]
    return positions[index]


def _fields(
    rules: Rules, rule: LoadedRule, name: str, above: tuple[str, ...] = ()
) -> Iterator[Field]:
    """Give the fields that a group field stands for in the rules below."""
    if rule.kind is not None:
        field = find_field(rule.kind, name)
        yield from () if field is None else (field,)
    elif rule.correlation is not None and rule.read.name not in above:
        for reference in rule.correlation.rules:
            if (below := rules.get(reference)) is not None:
                inner = rule.correlation.resolve_field(name, reference)
                yield from _fields(rules, below, inner, (*above, rule.read.name))


def _fill(action: PolicyAction, fields: Mapping[str, Field]) -> PolicyAction:
    samples = {name: _SAMPLES.get(field.type, _TEXT) for name, field in fields.items()}
    filled = {
        name: TEMPLATE.sub(lambda found: samples[found[1]], getattr(action, name))
        for name in action.templated_fields
    }
    return action.model_copy(update=filled)


def _describe(problem: str, fields: Iterable[Field]) -> str:
    types = [f"{field.name} is {_TYPES.get(field.type, 'no such value')}" for field in fields]
    return ", ".join([*types, problem.replace("_", " ").replace(" ip", " IP address")])
