"""Names what other Sigma tools cannot read in rules, or ignore: `rules check --pure-sigma`.

Everything that clawback adds to Sigma 2.1 is one of these: a mapping where Sigma has a value,
modifiers, keys of a document, and fields that the API does not send.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from clawback.model.events import Enrichment, EventKind
from clawback.rules.source.correlations import Correlation
from clawback.rules.source.errors import Code, Place, Problem, Severity
from clawback.rules.source.field_catalogue import find_field
from clawback.rules.source.loaded import Loaded
from clawback.rules.source.own_modifiers import OWN_MODIFIERS
from clawback.rules.source.yaml_reader import Document

_OWN_KEYS = ("response", "tests", "owner", "expires")
_NOT_SELECTIONS = frozenset({"condition", "rules", "timeframe"})
_IMPERSONATES = "impersonates"
_MAP = "map it in a pipeline of the other tool"


def find_own_sigma(loaded: Loaded) -> tuple[Problem, ...]:
    """Give a warning for each thing of a folder that is not Sigma, in file order."""
    found: set[Problem] = set()
    for rule in loaded.rules:
        found |= set(_of_keys(rule.document))
        if rule.kind is not None:
            found |= set(_of_selections(rule.document, "detection", rule.kind))
        if rule.correlation is not None:
            found |= set(_of_correlation(rule.document, rule.correlation))
    for one in loaded.filters:
        found |= set(_of_keys(one.document))
        found |= set(_of_selections(one.document, "filter", one.read.logsource.category))

    return tuple(sorted(found))


def _of_keys(document: Document) -> Iterator[Problem]:
    for key in _OWN_KEYS:
        if key in document.data:
            yield _warning(
                document.key_at(key),
                key,
                "a custom attribute, which other Sigma tools ignore",
                "do the same there by other means",
            )


def _of_selections(document: Document, part: str, kind: EventKind) -> Iterator[Problem]:
    for name, selection in document.data[part].items():
        if name not in _NOT_SELECTIONS:
            yield from _of_value(document, (part, name), selection, kind, "")


def _of_value(
    document: Document, path: tuple[str | int, ...], value: Any, kind: EventKind, parent: str
) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _of_value(document, (*path, index), one, kind, parent)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of_item(document, (*path, key), inner, kind, parent)


def _of_item(
    document: Document, path: tuple[str | int, ...], value: Any, kind: EventKind, parent: str
) -> Iterator[Problem]:
    key = str(path[-1])
    name, *modifiers = key.split("|")
    whole = f"{parent}.{name}" if parent else name
    place = document.key_at(*path)
    if _is_element_condition(value):
        yield _warning(
            place,
            key,
            "a mapping instead of a value, which other Sigma tools cannot read",
            "write each field as a selection of its own, which then need not be of one element",
        )
        yield from _of_value(document, path, value, kind, whole)
    for modifier in modifiers:
        if modifier in OWN_MODIFIERS:
            yield _warning(
                place,
                key,
                f"other Sigma tools have no modifier {modifier}",
                "list the texts or domains themselves",
            )
    if why := _why_not_of_the_api(kind, whole):
        yield _warning(place, name, why, _MAP)


def _is_element_condition(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and any(isinstance(one, Mapping) for one in value)
    )


def _why_not_of_the_api(kind: EventKind, name: str) -> str | None:
    field = find_field(kind, name)
    if field is None:
        return None
    if field.is_derived:
        return f"derived from {', '.join(field.sources)}, which the API sends"
    if name.removeprefix("message.") == _IMPERSONATES or field.enrichment is Enrichment.HISTORY:
        return "clawback finds this out; the API does not send it"
    return None


def _of_correlation(document: Document, correlation: Correlation) -> Iterator[Problem]:
    """The fields that it groups by and counts, also behind an alias: of a message, mostly."""
    body = document.data["correlation"]
    named: list[tuple[tuple[str | int, ...], str]]
    named = [(("group-by", index), name) for index, name in enumerate(correlation.group_by)]
    named += [
        (("aliases", alias, rule), name)
        for alias, fields in correlation.aliases.items()
        for rule, name in fields.items()
    ]
    if correlation.value_field is not None and isinstance(body.get("condition"), Mapping):
        named.append((("condition", "field"), correlation.value_field))

    for path, name in named:
        why = next(filter(None, (_why_not_of_the_api(kind, name) for kind in EventKind)), None)
        if why is not None:
            place = document.value_at("correlation", *path)
            yield _warning(place, name, why, _MAP)


def _warning(place: Place, text: str, message: str, remedy: str) -> Problem:
    return Problem(place, Code.NOT_SIGMA, message, text, remedy, Severity.WARNING)
