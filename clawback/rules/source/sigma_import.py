"""Reads plain Sigma rules of other collections, and writes them with the fields of clawback.

Only rules on e-mail are taken, and only if each of their fields has a counterpart. A rule that is
not is returned with the reasons.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from clawback.model.events import EventKind
from clawback.rules.source.field_catalogue import find_field
from clawback.rules.source.field_hints import explain_absence, find_counterpart

_MOST_BYTES = 4 << 20
_LONGEST_NAME = 64
_MAIL = frozenset(
    {
        "antispam",
        "email",
        "email_security",
        "emailsecurity",
        "exchange",
        "gmail",
        "mail",
        "messagetrace",
        "phishing",
        "smtp",
    }
)
"""Words of a `logsource` that stand for e-mail."""
_KEPT = (
    "description",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "falsepositives",
    "level",
    "license",
)


class NotSigma(ValueError):
    """A file cannot be read as Sigma rules. The message says why."""


@dataclass(slots=True)
class ForeignRule:
    """One rule of a file: its document as clawback has it, or why it is not taken.

    `renamed` are the fields that have another name here, `left_out` the keys that were dropped.
    """

    title: str
    document: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Refuses aliases, by which a small file can be an endless one, and keys that come twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="an alias", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - as in PyYAML
        found = set[str]()
        for key, _ in node.value:
            if key.value in found:
                text = f"the key {key.value!r} comes twice"
                raise yaml.MarkedYAMLError(problem=text, problem_mark=key.start_mark)
            found.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_foreign_rules(raw: bytes) -> list[ForeignRule]:
    """Read all rules of a file.

    Raises:
        NotSigma: it is too large, or not YAML.

    """
    if len(raw) > _MOST_BYTES:
        raise NotSigma(f"the file has {len(raw):,} bytes; at most {_MOST_BYTES:,} are read")
    try:
        documents = list(yaml.load_all(raw.decode(), Loader=_Loader))
    except UnicodeDecodeError:
        raise NotSigma("not UTF-8 text") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise NotSigma(f"not YAML{where}: {getattr(error, 'problem', None) or 'damaged'}") from None

    return [_read(one) for one in documents if one is not None]


def _read(document: object) -> ForeignRule:
    if not isinstance(document, dict) or not isinstance(document.get("title"), str):
        return ForeignRule("(no title)", refused=["it is no Sigma rule: it has no title"])

    rule = ForeignRule(document["title"])
    rule.refused += _refuse(document)
    if not rule.refused:
        rule.document = _convert(document, rule)
    return rule


def _refuse(document: Mapping[Any, Any]) -> Iterator[str]:
    """Say why a rule cannot apply, whatever it asks for."""
    if "correlation" in document:
        yield "it is a correlation; import the rules that it refers to, and write it anew"
    elif "filter" in document:
        yield "it is a filter; write it as an exception"
    elif not isinstance(document.get("detection"), dict):
        yield "it has no detection"
    elif not isinstance(source := document.get("logsource"), dict):
        yield "it has no logsource"
    elif not _MAIL & {str(value).lower() for value in source.values()}:
        named = ", ".join(f"{key} {value}" for key, value in source.items())
        yield f"its events are not e-mail: {named}"


def _convert(document: Mapping[Any, Any], rule: ForeignRule) -> dict[str, Any]:
    detection = {
        str(name): part if name == "condition" else _map(part, rule)
        for name, part in document["detection"].items()
    }
    kept = {key: _plain(document[key]) for key in _KEPT if document.get(key) is not None}
    known = {*_KEPT, "title", "id", "name", "status", "logsource", "detection", "related"}
    rule.left_out = [str(key) for key in document if key not in known]
    origin = document.get("id")
    related = [{"id": str(origin), "type": "derived"}] if origin else []
    return {
        "title": rule.title[:256],
        "name": _slug(rule.title),
        "status": "experimental",
        **kept,
        **({"related": related} if related else {}),
        "logsource": {
            "product": "cloudflare",
            "service": "email_security",
            "category": EventKind.MESSAGE.value,
        },
        "detection": detection,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"\d{4}/\d{2}/\d{2}", value):
        return value.replace("/", "-")
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _slug(title: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", title.casefold()).strip("_")[: _LONGEST_NAME - 8]
    return words if re.match(r"[a-z]", words) else f"rule_{words}".rstrip("_")


# ---- fields


def _map(part: Any, rule: ForeignRule) -> Any:
    """Rename the fields of a selection."""
    if isinstance(part, list):
        return [_map(one, rule) for one in part]
    if not isinstance(part, dict):
        return part

    mapped: dict[str, Any] = {}
    for key, value in part.items():
        name, *modifiers = str(key).split("|")
        new = "|".join([_rename(name, rule), *modifiers])
        if new in mapped:
            rule.refused.append(f"two fields of a selection would both be {new}")
        mapped[new] = _rename(value, rule) if _refers(value, modifiers) else value
    return mapped


def _refers(value: Any, modifiers: Sequence[str]) -> bool:
    return "fieldref" in modifiers and isinstance(value, str)


def _rename(name: str, rule: ForeignRule) -> str:
    if find_field(EventKind.MESSAGE, name) is not None:
        return name

    if (new := find_counterpart(name)) is not None:
        rule.renamed[name] = new
        return new

    reason = explain_absence(name) or "no field here has that content"
    rule.refused.append(f"field {name!r}: {reason}")
    return name
