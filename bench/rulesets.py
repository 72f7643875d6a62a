"""Rule sets of any size in a realistic mix.

One condition, written as a Sigma rule and in the languages of the peers.

About one rule in five hundred matches an event: values are taken from real mail while the set
matches too little, and invented while it matches too much. The first thousand rules of a set of ten
thousand are the set of a thousand. Seeded: the same events, the same rules.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import yaml

Record = Mapping[str, Any]
WORDS = re.compile(r"[a-z]{4,12}")
_ADDRESS = re.compile(r"[a-z0-9.-]{1,40}@[a-z0-9.-]{4,40}")
_SYLLABLES = (
    "ba",
    "cor",
    "den",
    "fi",
    "gar",
    "hol",
    "ix",
    "jun",
    "kel",
    "lo",
    "mer",
    "nov",
    "or",
    "pra",
    "qui",
    "ros",
    "sta",
    "tel",
    "um",
    "ver",
)
SHARE = 1 / 500
"""The share of rules that match an event, on average."""
_SAMPLE = 200
_COMMON = 0.1


class _Quoted(str):
    """A value that is quoted in YAML: a hash may look like a number."""

    __slots__ = ()


class _Dumper(yaml.CSafeDumper):
    """Writes rules."""


_Dumper.add_representer(
    _Quoted,
    lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="'"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A field: its Python expression, whether it is a list, its name in the flat view."""

    python: str
    view: str
    many: bool = False


COLUMNS: Mapping[str, Column] = {
    **{
        name: Column(f"(r.get({name!r}) or '')", name)
        for name in ("from_name", "subject", "edf_hash", "final_disposition", "replyto")
    },
    "from": Column("(r.get('from') or '')", "sender"),
    "is_quarantined": Column("r.get('is_quarantined')", "quarantined"),
    "validation.dmarc": Column("((r.get('validation') or {}).get('dmarc') or '')", "dmarc"),
    "to": Column("(r.get('to') or ())", "recipients", many=True),
    "detections.findings.score": Column(
        "(r['detections'].get('findings') or ())", "scores", many=True
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One test of one field: `how` is a Sigma modifier, or `is`, `wildcard` or `flag`."""

    field: str
    how: str
    values: tuple[Any, ...]

    def sigma(self) -> dict[str, Any]:
        """The line of a selection."""
        modifier = (
            ""
            if self.how in {"is", "wildcard", "flag"}
            else "|re|i"
            if self.how == "re"
            else f"|{self.how}"
        )
        values = [_Quoted(value) if isinstance(value, str) else value for value in self.values]
        return {self.field + modifier: values[0] if len(values) == 1 else values}

    def python(self, constants: dict[str, Any]) -> str:
        """What somebody would write by hand; compiled patterns and sets go into `constants`."""
        column = COLUMNS[self.field]
        if self.how == "gte":
            return f"any((f.get('score') or 0) >= {self.values[0]} for f in {column.python})"
        if self.how in {"exists", "flag"}:
            return f"{column.python} is True" if self.how == "flag" else f"bool({column.python})"
        if column.many:
            return f"any({self._of('v', constants)} for v in {column.python})"
        return self._of(column.python, constants)

    def _of(self, value: str, constants: dict[str, Any]) -> str:
        name = f"k{len(constants)}"
        if self.how in {"re", "wildcard"}:
            pattern = (
                self.values[0]
                if self.how == "re"
                else ".*".join(map(re.escape, self.values[0].split("*"))) + r"\Z"
            )
            found = re.compile(pattern, re.IGNORECASE | re.ASCII | re.DOTALL)
            constants[name] = found.search if self.how == "re" else found.match
            return f"{name}({value}) is not None"
        folded = f"{value}.casefold()"
        if self.how == "is" and len(self.values) > 1:
            constants[name] = frozenset(self.values)
            return f"{folded} in {name}"
        if self.how == "contains":
            return _any_of(f"{one!r} in {folded}" for one in self.values)
        if self.how == "is":
            return f"{folded} == {self.values[0]!r}"
        return f"{folded}.{self.how}({self.values if len(self.values) > 1 else self.values[0]!r})"

    def peer(self, language: "Language") -> str:
        """Give the condition in the language of a peer, over the flat view."""
        column = COLUMNS[self.field]
        if self.how == "gte":
            return language.any_of.format(name=column.view, test=f"e >= {float(self.values[0])}")
        if self.how == "exists":
            return f'{column.view} != ""'
        if self.how == "flag":
            return column.view
        tests = [
            self._peer_test(language, "e" if column.many else column.view, value)
            for value in self.values
        ]
        if self.how == "is" and len(tests) > 1:
            return f"{column.view} in {json.dumps(self.values)}"
        test = f" {language.either} ".join(f"({test})" for test in tests)
        return language.any_of.format(name=column.view, test=test) if column.many else f"({test})"

    def _peer_test(self, language: "Language", name: str, value: str) -> str:
        pattern = (
            value if self.how == "re" else "^" + ".*".join(map(re.escape, value.split("*"))) + "$"
        )
        test = language.tests["re" if self.how == "wildcard" else self.how]
        return test.format(
            name=name, value=json.dumps(pattern if self.how in {"re", "wildcard"} else value)
        )


def _any_of(tests: Any) -> str:
    found = list(tests)
    return found[0] if len(found) == 1 else f"({' or '.join(found)})"


@dataclass(frozen=True, slots=True)
class Language:
    """The words of a peer."""

    both: str
    either: str
    negated: str
    any_of: str
    tests: Mapping[str, str]


CEL = Language(
    both="&&",
    either="||",
    negated="!",
    any_of="{name}.exists(e, {test})",
    tests={
        "is": "{name} == {value}",
        "contains": "{name}.contains({value})",
        "startswith": "{name}.startsWith({value})",
        "endswith": "{name}.endsWith({value})",
        "re": "{name}.matches({value})",
    },
)
RULE_ENGINE = Language(
    both="and",
    either="or",
    negated="not ",
    any_of="[e for e in {name} if {test}].length > 0",
    tests={
        "is": "{name} == {value}",
        "contains": "{value} in {name}",
        "startswith": "{name}.starts_with({value})",
        "endswith": "{name}.ends_with({value})",
        "re": "{name} =~~ {value}",
    },
)


@dataclass(frozen=True, slots=True)
class Condition:
    """Named selections, each of parts that must all hold, and the Sigma condition over them."""

    kind: str
    selections: Mapping[str, tuple[Part, ...]]
    text: str = "sel"

    def detection(self) -> dict[str, Any]:
        """The `detection` of a Sigma rule."""
        merged = {
            name: {key: value for part in parts for key, value in part.sigma().items()}
            for name, parts in self.selections.items()
        }
        return {**merged, "condition": self.text}

    def python(self, constants: dict[str, Any]) -> str:
        """The body of the lambda that takes the record as `r`."""
        written = {
            name: " and ".join(part.python(constants) for part in parts)
            for name, parts in self.selections.items()
        }
        return re.sub(
            r"\w+",
            lambda word: f"({written[word[0]]})" if word[0] in written else word[0],
            self.text,
        )

    def peer(self, language: Language) -> str:
        """The expression of a peer."""
        join = f" {language.both} "
        written = {
            name: join.join(part.peer(language) for part in parts)
            for name, parts in self.selections.items()
        }
        words = {"and": language.both, "or": language.either, "not": language.negated.strip()}
        return re.sub(
            r"\w+",
            lambda word: f"({written[word[0]]})" if word[0] in written else words[word[0]],
            self.text,
        )


def view_of(record: Record) -> dict[str, Any]:
    """The flat, folded view of an event with `detections` that the peers are given."""
    found: dict[str, Any] = {}
    for name, column in COLUMNS.items():
        head, _, tail = name.partition(".")
        value = record.get(head)
        if name == "detections.findings.score":
            value = [
                float(one.get("score") or 0) for one in record["detections"].get("findings") or ()
            ]
        elif tail:
            value = (value or {}).get(tail)
        elif column.many:
            value = [one.casefold() for one in value or ()]
        found[column.view] = (
            value.casefold() if isinstance(value, str) else "" if value is None else value
        )
    return found


def compiled_lambdas(conditions: Sequence[Condition]) -> list[Callable[[Record], bool]]:
    """The conditions as a Python module of hand-written lambdas would have them."""
    constants: dict[str, Any] = {}
    source = (
        "lambdas = [\n"
        + "".join(f"    lambda r: {condition.python(constants)},\n" for condition in conditions)
        + "]\n"
    )
    scope: dict[str, Any] = dict(constants)
    exec(compile(source, "<lambdas>", "exec"), scope)  # noqa: S102 - the benchmark compiles its own source
    found: list[Callable[[Record], bool]] = scope["lambdas"]
    return found


class _Words:
    """Where values come from: real mail, or invention."""

    def __init__(self, records: Sequence[Record], random: Random) -> None:
        self.random = random
        self.heard = False
        self._records = records

    def address(self) -> str:
        """An address that sends mail."""
        return self._real("from", _ADDRESS) or f"{self.invented()}@{self.invented()}.test"

    def domain(self) -> str:
        """The part after the at sign."""
        return self.address().partition("@")[2]

    def word(self) -> str:
        """A word of a subject."""
        return self._real("subject", WORDS) or self.invented()

    def pair(self) -> list[str]:
        """Two words that stand next to each other in a subject; neither in one another."""
        found = (
            re.search(r"[a-z]{3,12} [a-z]{3,12}", (self._any().get("subject") or "").casefold())
            if self.heard
            else None
        )
        return found[0].split(" ") if found else [self.invented(), self.invented()]

    def hash(self) -> str:
        """The hash of a body."""
        return (
            self._real("edf_hash", re.compile("[0-9a-f]{40}"))
            or f"{self.random.getrandbits(160):040x}"
        )

    def invented(self) -> str:
        """A word that no mail has."""
        return "".join(self.random.choices(_SYLLABLES, k=4))

    def _any(self) -> Record:
        return self.random.choice(self._records)

    def _real(self, field: str, pattern: re.Pattern[str]) -> str | None:
        found = pattern.findall((self._any().get(field) or "").casefold()) if self.heard else []
        return self.random.choice(found) if found else None


def _one(kind: str, field: str, how: str, *values: Any) -> Condition:
    return Condition(kind, {"sel": (Part(field, how, values),)})


def _brand(words: _Words) -> Condition:
    brand = words.word()
    selections = {
        "sel": (Part("from_name", "contains", (brand,)), Part("replyto", "exists", (True,))),
        "genuine": (Part("from", "endswith", (f"@{brand}.com", f".{brand}.com")),),
    }
    return Condition("exists", selections, "sel and not genuine")


def _scored(words: _Words) -> Condition:
    parts = (
        Part("subject", "contains", (words.word(),)),
        Part("detections.findings.score", "gte", (words.random.choice((0.4, 0.6, 0.8)),)),
    )
    return Condition("numeric", {"sel": parts})


def _clauses(words: _Words) -> Condition:
    selections = {
        "verdict": (
            Part(
                "final_disposition",
                "startswith",
                (words.random.choice(("malicious", "susp", "spoof", "spam")),),
            ),
        ),
        "sender": (Part("from", "endswith", (f"@{words.domain()}",)),),
        "lure": (
            Part("subject", "contains", (words.word(), words.invented())),
            Part("validation.dmarc", "is", ("fail", "none")),
        ),
        "handled": (Part("is_quarantined", "flag", (True,)),),
        "ours": (Part("to", "endswith", (f"@{words.invented()}.example",)),),
    }
    return Condition(
        "five clauses", selections, "verdict and (sender or lure) and not (handled or ours)"
    )


_KINDS: Sequence[tuple[int, Callable[[_Words], Condition]]] = (
    (20, lambda words: _one("equality", "from", "is", words.address())),
    (
        8,
        lambda words: _one(
            "list",
            "from",
            "is",
            *dict.fromkeys(words.address() for _ in range(words.random.randint(5, 20))),
        ),
    ),
    (
        7,
        lambda words: _one(
            "list",
            "edf_hash",
            "is",
            *dict.fromkeys(words.hash() for _ in range(words.random.randint(2, 8))),
        ),
    ),
    (12, lambda words: _one("contains", "subject", "contains", " ".join(words.pair()))),
    (6, lambda words: _one("startswith", "subject", "startswith", " ".join(words.pair()))),
    (12, lambda words: _one("endswith", "from", "endswith", f"@{words.domain()}")),
    (5, lambda words: _one("wildcard", "subject", "wildcard", "*".join(["", *words.pair(), ""]))),
    (8, lambda words: _one("regex", "subject", "re", r"\b{}\b.{{0,20}}\b{}".format(*words.pair()))),
    (6, _brand),
    (4, _scored),
    (12, _clauses),
)
KINDS = tuple(dict.fromkeys(make(_Words([{}], Random(0))).kind for _, make in _KINDS))  # noqa: S311 - reproducible on purpose


def make_conditions(
    records: Sequence[Record], count: int, seed: int, live: int | None = None
) -> list[Condition]:
    """Make conditions over records with `detections`, of which about one in 500 holds for a record.

    With `live`, the matches are those that so many rules would have, and the rest of the rules adds
    none.
    """
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    words = _Words(records, random)
    sample = random.sample(list(records), min(_SAMPLE, len(records)))
    weights = [weight for weight, _ in _KINDS]
    made: list[Condition] = []
    matched = 0.0
    while len(made) < count:
        words.heard = matched <= SHARE * min(len(made), live or count)
        condition = random.choices(_KINDS, weights)[0][1](words)
        holds = compiled_lambdas([condition])[0]
        share = sum(1 for record in sample if holds(record)) / len(sample)
        if share <= _COMMON:
            made.append(condition)
            matched += share
    return made


def rule_document(condition: Condition, number: int) -> str:
    """Write the file of a rule with an ordinary header, response and tests."""
    document = {
        "title": f"Rule {number} of a benchmark: {condition.kind}",
        "id": str(UUID(int=number, version=4)),
        "name": f"rule_{number:05d}",
        "status": "experimental",
        "description": "One of many rules; its values are taken from mail or invented.",
        "author": "Security Engineering",
        "date": "2026-11-22",
        "tags": ["attack.t1566", "attack.initial-access"],
        "logsource": {"product": "cloudflare", "service": "email_security", "category": "message"},
        "detection": condition.detection(),
        "falsepositives": ["None: it only exists to be measured"],
        "level": "medium",
        "response": {
            "mode": "shadow",
            "actions": [{"move": {"destination": "JunkEmail"}}],
            "limits": {"messages": 50, "per": "1h"},
        },
        "tests": [
            {"name": "one that does", "event": {}, "expect": "match"},
            {"name": "one that does not", "event": {}, "expect": "no match"},
        ],
    }
    return yaml.dump(document, sort_keys=False, width=1000, Dumper=_Dumper)
