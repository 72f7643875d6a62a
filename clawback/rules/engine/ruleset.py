"""The compiled rule set.

What ingest evaluates events against, and what everything else asks about rules.

Immutable once built; a new set replaces it whole. Evaluating never raises for an odd record and
does no I/O.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from clawback.cases.plan import CasePlan
from clawback.correlation.sliding_window import CorrelationWindow
from clawback.model.events import Event, EventKind
from clawback.model.mode import Mode
from clawback.rules.engine.codegen import Choice, compile_choice
from clawback.rules.engine.compiler import PartialEvaluation, Today
from clawback.rules.engine.explanation import Explanation, explain_node
from clawback.rules.engine.index import NONE, Engine
from clawback.rules.engine.matches import GroupField, InnerGroup, Responder, RuleMatch
from clawback.rules.source.catalogue import FIELDS
from clawback.rules.source.condition import Node
from clawback.rules.source.correlations import Correlation, field_of, leaves, watch_of, ways
from clawback.rules.source.documents import EventTest, Level, Status, WindowTest
from clawback.rules.source.responses import Response
from clawback.rules.source.safety import Safety

Row = tuple[Node, tuple[Responder, ...]]
"""A condition, and who responds where it is true."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it was loaded, its exceptions built into `tree`.

    A correlation has no tree but the names of its rules.

    `version` changes with anything that changes what the rule does. `path` is relative to the
    folder; `line` where the document starts.
    """

    name: str
    title: str
    status: Status
    level: Level
    version: str
    kinds: tuple[EventKind, ...]
    path: str
    line: int
    id: UUID | None = None
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    tree: Node | None = None
    selections: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    correlation: Correlation | None = None
    response: Response | None = None
    tests: tuple[EventTest | WindowTest, ...] = ()
    test_lines: tuple[int, ...] = ()

    @property
    def mode(self) -> Mode | None:
        """The mode it responds with, capped by its status; None for a building block."""
        return self.response.mode.capped(self.status.ceiling) if self.response else None


@dataclass(frozen=True, slots=True)
class Filter:
    """An exception: which rules it is for (all of its kind where empty), who owns it and the last day on which it applies."""

    name: str
    title: str
    owner: str
    expires: date | None
    kind: EventKind
    rules: tuple[str, ...]
    path: str
    line: int
    tree: Node

    def is_expired(self, today: date) -> bool:
        """Whether it no longer applies."""
        return self.expires is not None and today > self.expires


class Evaluation(NamedTuple):
    """What the rules say of one event.

    `undecided` if some rule could still match once `/detections` is known.
    """

    matches: tuple[RuleMatch, ...] = ()
    undecided: bool = False


NOTHING = Evaluation()
UNDECIDED = Evaluation(undecided=True)


class RuleSet:
    """All rules of a folder, compiled."""

    evaluate: Callable[[Event], Evaluation]
    """Evaluate one event against every rule of its kind.

    Fields of `/detections` count as not known while the record does not have `detections`; a rule
    that hangs on one is then undecided.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        filters: tuple[Filter, ...],
        lists: Mapping[str, tuple[str, ...]],
        safety: Safety,
        today: Today,
    ) -> None:
        self.rules = rules
        self.filters = filters
        self.lists = lists
        self.safety = safety
        self.today = today
        self._correlations = {
            name: rule.correlation for name, rule in rules.items() if rule.correlation is not None
        }
        self.version = digest(
            sorted(rule.version for rule in rules.values()), safety.model_dump_json()
        )
        rows = {kind: self._rows(kind) for kind in EventKind}
        self._engines = {kind: Engine(rows[kind], kind, today) for kind in EventKind}
        self._foresight: dict[EventKind, PartialEvaluation] = {
            kind: PartialEvaluation((node for node, _ in rows[kind]), today)
            for kind in EventKind
            if kind is not EventKind.MESSAGE
        }
        self._decide = {kind: engine.decide for kind, engine in self._engines.items()}
        self.evaluate = self._only(rows) or self._evaluate

    def prepare(self) -> None:
        """Build every index now, so that no event has to wait for one."""
        for engine in self._engines.values():
            engine.prepare()

    def _evaluate(self, event: Event) -> Evaluation:
        decision = self._decide[event.kind](event.record)
        if decision is NONE:
            return NOTHING
        hits, undecided = decision
        if not hits:
            return UNDECIDED if undecided else NOTHING
        return Evaluation(
            tuple([RuleMatch(responder, event) for hit in hits for responder in hit]), undecided
        )

    def _only(
        self, rows: Mapping[EventKind, Sequence[Row]]
    ) -> Callable[[Event], Evaluation] | None:
        """Compile the only condition there is, where there is only one.

        Finding out what to ask would cost more than asking.
        """
        conditions = [(kind, node, hit) for kind, some in rows.items() for node, hit in some]
        if len(conditions) != 1:
            return None
        ((kind, node, hit),) = conditions

        def chosen(event: Event) -> Evaluation:
            return Evaluation(tuple([RuleMatch(responder, event) for responder in hit]))

        return compile_choice(node, kind, self.today, Choice(chosen, NOTHING, self._evaluate))

    def may_match(self, event: Event) -> bool:
        """Whether a report or submission without its message may match a responding rule once that is known. A message always may."""
        foresight = self._foresight.get(event.kind)
        return foresight is None or foresight.may_match(event)

    def leaves(self, rule: Rule) -> tuple[str, ...]:
        """Name the rules with a condition that a rule comes down to.

        Itself, or those that a correlation refers to.
        """
        return (
            leaves(rule.correlation, self._correlations)
            if rule.correlation is not None
            else (rule.name,)
        )

    def watch_of(self, rule: Rule) -> CorrelationWindow | None:
        """What a correlation waits for; None for a rule on single events."""
        return (
            watch_of(rule.correlation, self._correlations) if rule.correlation is not None else None
        )

    def explain(self, name: str, event: Event) -> tuple[Explanation, ...]:
        """Explain what a rule makes of an event.

        Its condition as a tree; for a correlation one tree for each of its rules.

        Raises:
            KeyError: there is no such rule.

        """
        rule = self.rules[name]
        trees = [self.rules[one] for one in self.leaves(rule)]
        return tuple(
            Explanation(
                one.name,
                (explained := explain_node(one.tree, event, self.today)).outcome,
                children=(explained,),
            )
            for one in trees
            if one.tree is not None
        )

    def _rows(self, kind: EventKind) -> list[Row]:
        referred: dict[str, list[tuple[Rule, tuple[str, ...]]]] = {}
        for rule in self.rules.values():
            if rule.response is not None:
                for way in (
                    ways(rule.correlation, self._correlations)
                    if rule.correlation
                    else [(rule.name,)]
                ):
                    referred.setdefault(way[-1], []).append((rule, way))
        rows: list[Row] = []
        for rule in self.rules.values():
            responding = sorted(referred.get(rule.name, ()), key=lambda one: one[0] is not rule)
            if rule.tree is not None and kind in rule.kinds and responding:
                rows.append(
                    (rule.tree, tuple(self._responder(one, way) for one, way in responding))
                )
        return rows

    def _responder(self, rule: Rule, way: tuple[str, ...]) -> Responder:
        if rule.response is None:
            raise ValueError(f"{rule.name} has no response")
        correlation, among = rule.correlation, self._correlations
        known = FIELDS[self.rules[way[-1]].kinds[0]]

        def field(
            name: str, of: Correlation | None = correlation, below: tuple[str, ...] = way
        ) -> GroupField:
            real = field_of(of, name, below, among) if of else name
            return GroupField(name, tuple(real.split(".")), known.get(real))

        def group(of: Correlation, below: tuple[str, ...]) -> InnerGroup:
            counted = field(of.value_field, of, below) if of.value_field else None
            return InnerGroup(tuple(field(name, of, below) for name in of.group_by), counted)

        response = rule.response
        plan = CasePlan(
            rule=rule.name,
            version=rule.version,
            title=rule.title,
            level=rule.level,
            mode=response.mode.capped(rule.status.ceiling),
            actions=response.actions,
            notifications=response.notifications,
            limits=response.limits,
            watch=watch_of(correlation, among) if correlation else None,
        )
        counted = (
            field(correlation.value_field) if correlation and correlation.value_field else None
        )
        inner = tuple(group(among[name], way[index + 1 :]) for index, name in enumerate(way[:-1]))
        return Responder(
            plan, "/".join(way), tuple(field(name) for name in response.group_by), counted, inner
        )


def digest(*parts: object) -> str:
    """Hash content into 12 hex digits, as versions are shown."""
    return hashlib.sha256(
        "\0".join(str(part) for part in parts).encode("utf-8", "replace")
    ).hexdigest()[:12]
