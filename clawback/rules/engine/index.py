"""Evaluates many conditions at a cost that grows with the candidates, not with the rules.

A few conditions are evaluated one after the other. Many are indexed by their prefilters: one hash
table, one Aho-Corasick automaton and one `re2.Filter` per field answer the lookups of all rules.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ahocorasick_rs import AhoCorasick

from clawback.model.events import MESSAGE, SOURCES, Enrichment, EventKind
from clawback.model.normal_text import NORMAL_FORMS
from clawback.model.notations import A_LABEL, unicode_domain
from clawback.rules.engine.codegen import generate_predicate
from clawback.rules.engine.compiler import Today, compile_node, enrichments_of
from clawback.rules.engine.field_values import as_text, is_derived, read_values, reader_of
from clawback.rules.engine.likeness import likeness_checks
from clawback.rules.engine.predicates import Predicate, match_any_regex
from clawback.rules.engine.prefilter import Lookup, Missing, Prefilter, prefilters_of
from clawback.rules.engine.wildcards import is_unicode
from clawback.rules.source.condition import Confusable, Node
from clawback.rules.source.lookalike import Lookalike

Hit = TypeVar("Hit")
Decision = tuple[Sequence[Hit], bool]
"""What is reported for the conditions that hold, in their order; whether any is undecided."""
NOTHING: tuple[tuple[()], bool] = ((), False)
_NOTHING_MISSING: Missing = frozenset()

_MOST_UNINDEXED = 8
_MOST_GENERATED = 256
_OVERLAPPING = True
_UNCOMPARED = frozenset({Lookup.EXISTS, Lookup.MATCHES, Lookup.LOOKS_LIKE})
_LITERALS = frozenset({Lookup.CONTAINS, Lookup.STARTS_WITH, Lookup.ENDS_WITH})


@dataclass(slots=True)
class _Found:
    """The rows that the lookups lead to: those that hold, and those to evaluate."""

    holding: set[int]
    candidates: set[int]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that one successful lookup leads to."""

    holding: tuple[int, ...]
    candidates: tuple[int, ...]

    def add_to(self, found: _Found) -> None:
        if self.holding:
            found.holding.update(self.holding)
        if self.candidates:
            found.candidates.update(self.candidates)


@dataclass(frozen=True, slots=True)
class _Literal:
    """A literal of the automaton, with the rows by where in the text it must be."""

    text: str
    anywhere: _Rows | None
    at_start: _Rows | None
    at_end: _Rows | None

    def look_up(self, start: int, end: int, length: int, found: _Found) -> None:
        if self.anywhere is not None:
            self.anywhere.add_to(found)
        if self.at_start is not None and start == 0:
            self.at_start.add_to(found)
        if self.at_end is not None and end == length:
            self.at_end.add_to(found)


class _FieldIndex:
    """All lookups in one field."""

    def __init__(self, name: str, rows: Mapping[Prefilter, _Rows]) -> None:
        self.path = tuple(name.split("."))
        self._exists = rows.get(Prefilter(name, Lookup.EXISTS))
        self._equals = {key.key: one for key, one in rows.items() if key.lookup is Lookup.EQUALS}

        texts = dict.fromkeys(key.key for key in rows if key.lookup in _LITERALS)
        # What the automaton does not take comes last, so that its numbers are those of the list.
        texts = dict.fromkeys(sorted(texts, key=is_unicode, reverse=True))
        self._literals = [
            _Literal(
                text,
                rows.get(Prefilter(name, Lookup.CONTAINS, text)),
                rows.get(Prefilter(name, Lookup.STARTS_WITH, text)),
                rows.get(Prefilter(name, Lookup.ENDS_WITH, text)),
            )
            for text in texts
        ]
        plain = list(filter(is_unicode, texts))
        self._find_literals = AhoCorasick(plain).find_matches_as_indexes if texts else None

        keys = {key: one for key, one in rows.items() if key.lookup not in _UNCOMPARED}
        self._evaluates = any(one.candidates for one in keys.values())
        self._has_blanks = any(" " in key.key for key in keys)
        self._names_scripts = any(not key.key.isascii() for key in keys)

        regexes = {key.key: one for key, one in rows.items() if key.lookup is Lookup.MATCHES}
        self._regexes = list(regexes.values())
        self._match_regexes = match_any_regex(list(regexes)) if regexes else None

        likenesses: dict[_Rows, list[Confusable | Lookalike]] = {}
        for key, one in rows.items():
            if key.likeness is not None:
                likenesses.setdefault(one, []).append(key.likeness)
        self._likenesses = [
            (check, one) for one, tests in likenesses.items() for check in likeness_checks(tests)
        ]

    def look_up(self, value: Any, found: _Found) -> None:
        """Add the rows that one value of the field leads to."""
        text = value if value.__class__ is str else as_text(value)
        if text is not None:
            self.look_up_text(text, value, found)
        elif self._exists is not None and value is not None:
            self._exists.add_to(found)

    def look_up_text(self, text: str, value: Any, found: _Found) -> None:
        """Add the rows that a value leads to, given as text as well."""
        if self._exists is not None:
            self._exists.add_to(found)

        is_ascii = text.isascii()
        form = text.lower() if is_ascii else NORMAL_FORMS[text]
        if (rows := self._equals.get(form)) is not None:
            rows.add_to(found)
        if self._find_literals is not None:
            self._look_up_literals(form, found)

        # In ASCII, blanks are all that differs from lower case, and most keys have none.
        if not is_ascii or self._names_scripts:
            self._look_up_other_forms(text, form, found)
        elif self._has_blanks and ("  " in text or not text.isprintable()):
            self._look_up_form(NORMAL_FORMS[text], found)

        if self._match_regexes is not None:
            for number in self._match_regexes(text) or ():
                self._regexes[number].add_to(found)
        if self._likenesses:
            self._look_up_likenesses(value, found)

    def _look_up_likenesses(self, value: Any, found: _Found) -> None:
        for is_alike, rows in self._likenesses:
            if is_alike(value):
                rows.add_to(found)

    def _look_up_other_forms(self, text: str, form: str, found: _Found) -> None:
        """Add rows by other forms of a text than the one that was looked up already."""
        if text.isascii():
            if self._has_blanks and (normal := NORMAL_FORMS[text]) != form:
                self._look_up_form(normal, found)
        elif self._evaluates and (raw := text.casefold()) != form:
            # `cased` and regular expressions see the text as it is; this alone proves nothing.
            self._look_up_form(raw, _Found(set(), found.candidates))

        if self._names_scripts and A_LABEL in form:
            # International domain names as people see them; only evaluation says what may.
            names = NORMAL_FORMS[unicode_domain(text)]
            self._look_up_form(names, _Found(set(), found.candidates))

    def _look_up_form(self, form: str, found: _Found) -> None:
        if (rows := self._equals.get(form)) is not None:
            rows.add_to(found)
        if self._find_literals is not None:
            self._look_up_literals(form, found)

    def _look_up_literals(self, folded: str, found: _Found) -> None:
        assert self._find_literals is not None  # noqa: S101 - the caller has checked it
        try:
            matches = self._find_literals(folded, _OVERLAPPING)
        except UnicodeEncodeError:  # a lone surrogate, which the automaton does not take
            self._search_literals(folded, found)
            return

        for number, start, end in matches:
            self._literals[number].look_up(start, end, len(folded), found)

    def _search_literals(self, folded: str, found: _Found) -> None:
        length = len(folded)
        for one in self._literals:
            if one.text in folded:
                start = 0 if folded.startswith(one.text) else -1
                one.look_up(start, length if folded.endswith(one.text) else -1, length, found)


class _Index(Generic[Hit]):
    """The conditions by their prefilters, for records that lack the `missing` enrichments."""

    def __init__(
        self,
        conditions: Sequence[tuple[Node, Hit]],
        kind: EventKind,
        today: Today,
        missing: Missing,
    ) -> None:
        self._conditions = conditions
        self._today = today
        self._missing = missing
        self._predicates: dict[int, Predicate] = {}
        self._always: list[int] = []

        holding: dict[Prefilter, list[int]] = {}
        candidates: dict[Prefilter, list[int]] = {}
        for row, (node, _) in enumerate(conditions):
            prefilters = prefilters_of(node, kind, missing=missing)
            if prefilters is None:
                # Nothing rules it out, so it is evaluated for every event.
                self._always.append(row)
                continue
            for prefilter, is_exact in prefilters.exact.items():
                (holding if is_exact else candidates).setdefault(prefilter, []).append(row)

        fields = _index_fields(
            {
                one: _Rows(tuple(holding.get(one, ())), tuple(candidates.get(one, ())))
                for one in (*holding, *candidates)
            }
        )
        stored = [one for one in fields if not is_derived(one.path)]
        self._plain = [
            (one.path[0], one.look_up_text, one.look_up) for one in stored if len(one.path) == 1
        ]
        self._nested = [(one.path, one.look_up) for one in stored if len(one.path) > 1]
        self._derived = [
            (reader_of(one.path), one.look_up) for one in fields if is_derived(one.path)
        ]

    def decide(self, record: Mapping[str, Any]) -> Decision[Hit]:
        """Give what holds for a record, and whether any condition is undecided."""
        found = _Found(set(), set(self._always))
        self._look_up(record, found)
        if not found.holding and not found.candidates:
            return NOTHING

        return self._evaluate(found, record)

    def _look_up(self, record: Mapping[str, Any], found: _Found) -> None:
        for name, look_up_text, look_up in self._plain:
            value = record.get(name)
            if value.__class__ is str:  # the usual case
                look_up_text(value, value, found)
            elif value is not None:
                for one in read_values(value, ()):
                    look_up(one, found)

        for path, look_up in self._nested:
            if record.get(path[0]) is not None:
                for one in read_values(record, path):
                    look_up(one, found)

        for read, look_up in self._derived:
            for one in read(record):
                look_up(one, found)

    def _evaluate(self, found: _Found, record: Mapping[str, Any]) -> Decision[Hit]:
        rows = list(found.holding)
        undecided = False
        for row in found.candidates - found.holding:
            answer = (self._predicates.get(row) or self._compile(row))(record)
            if answer:
                rows.append(row)
            elif answer is None:
                undecided = True

        if not rows and not undecided:
            return NOTHING

        # Rows are numbered in the order of the rules, which is that of the answers.
        rows.sort()
        return [self._conditions[row][1] for row in rows], undecided

    def _compile(self, row: int) -> Predicate:
        """Compile a condition when it is a candidate for the first time; most never are."""
        node = self._conditions[row][0]
        is_known = self._missing.isdisjoint(enrichments_of(node))
        generates = is_known and len(self._conditions) <= _MOST_GENERATED
        make = generate_predicate if generates else compile_node
        predicate = self._predicates[row] = make(node, self._today)
        return predicate


def _index_fields(rows: Mapping[Prefilter, _Rows]) -> Iterable[_FieldIndex]:
    by_field: dict[str, dict[Prefilter, _Rows]] = {}
    for prefilter, one in rows.items():
        by_field.setdefault(prefilter.field, {})[prefilter] = one
    return [_FieldIndex(name, one) for name, one in by_field.items()]


class Engine(Generic[Hit]):
    """Evaluates conditions of one kind of event; each comes with what to report if it holds."""

    decide: Callable[[Mapping[str, Any]], Decision[Hit]]
    """Give what holds for a record, in the order of the rules, and whether any is undecided."""

    def __init__(
        self, conditions: Sequence[tuple[Node, Hit]], kind: EventKind, today: Today
    ) -> None:
        self._conditions = conditions
        self._kind = kind
        self._is_joined = SOURCES[kind].is_joined
        self._today = today
        self._enrichments = frozenset[Enrichment]().union(
            *(enrichments_of(node) for node, _ in conditions)
        )
        self._asked = [(frozenset({one}), one.value) for one in self._enrichments]
        self._indexes: dict[Missing, _Index[Hit]] = {}
        self._is_indexed = len(conditions) > _MOST_UNINDEXED
        self.decide = self._decide_indexed if self._is_indexed else self._decide_each

    def prepare(self) -> None:
        """Build the index now instead of at the first event."""
        if not self._is_indexed:
            _ = self._predicates
            return
        for missing in {_NOTHING_MISSING, self._enrichments}:
            self._index(missing)

    def _decide_indexed(self, record: Mapping[str, Any]) -> Decision[Hit]:
        missing = self._missing(record) if self._enrichments else _NOTHING_MISSING
        return (self._indexes.get(missing) or self._index(missing)).decide(record)

    def _index(self, missing: Missing) -> _Index[Hit]:
        if missing not in self._indexes:
            self._indexes[missing] = _Index(self._conditions, self._kind, self._today, missing)
        return self._indexes[missing]

    def _decide_each(self, record: Mapping[str, Any]) -> Decision[Hit]:
        hits: list[Hit] = []
        undecided = False
        is_known = not self._enrichments or not self._missing(record)

        for compiled, generated, hit in self._predicates:
            if answer := generated(record) if is_known else compiled(record):
                hits.append(hit)
            elif answer is None:
                undecided = True

        return (hits, undecided) if hits or undecided else NOTHING

    @cached_property
    def _predicates(self) -> list[tuple[Predicate, Predicate, Hit]]:
        """For each condition a three-valued predicate, a generated two-valued one, and the hit."""
        found: list[tuple[Predicate, Predicate, Hit]] = []
        for node, hit in self._conditions:
            generated = generate_predicate(node, self._today)
            compiled = compile_node(node, self._today) if enrichments_of(node) else generated
            found.append((compiled, generated, hit))
        return found

    def _missing(self, record: Mapping[str, Any]) -> Missing:
        """Give the enrichments that conditions ask for and a record lacks."""
        message = record.get(MESSAGE) if self._is_joined else record
        if not isinstance(message, Mapping):
            return _NOTHING_MISSING

        missing = _NOTHING_MISSING
        for alone, name in self._asked:
            if name not in message:
                missing |= alone
        return missing
