"""The compiled rule set: what ingest evaluates events against, and what all else asks about rules.

Immutable; a changed folder gives a new set. Evaluation does no I/O and never raises for an
unexpected record.
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from clawback.cases.plan import CasePlan
from clawback.correlation.sliding_window import CorrelationWindow
from clawback.model.events import SOURCES, Enrichment, Event, EventKind
from clawback.model.folders import AccountProviders
from clawback.model.level import Level
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.rules.engine.codegen import Branches, generate_evaluator
from clawback.rules.engine.compiler import (
    PartialEvaluation,
    Today,
    compile_node,
    enrichments_of,
)
from clawback.rules.engine.explanation import Explanation, explain_node
from clawback.rules.engine.filter import Filter
from clawback.rules.engine.index import NOTHING, Engine
from clawback.rules.engine.matches import (
    CountedField,
    GroupField,
    InnerGroup,
    Responder,
    RuleMatch,
    fill_plan,
)
from clawback.rules.engine.predicates import Predicate
from clawback.rules.impersonation import ProtectedName, ProtectedNames, asks_impersonation
from clawback.rules.protected_people import PROTECTED_PEOPLE, ProtectedPeople
from clawback.rules.source.condition import Node
from clawback.rules.source.correlations import Correlation, CorrelationGraph
from clawback.rules.source.documents import EventTest, Status, WindowTest
from clawback.rules.source.field_catalogue import find_field
from clawback.rules.source.responses import Response
from clawback.rules.source.safety import Safety


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its `tree` includes its exceptions; a correlation has none.

    `version` changes with everything that changes what the rule does, `actions_version` and
    `condition_version` with a part of it (see `CasePlan`). `path` is relative to the folder, `line`
    is where the document starts.
    """

    name: str
    title: str
    status: Status
    level: Level
    version: str
    actions_version: str
    condition_version: str
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
        """The mode of its response, capped by its status; None for a building block."""
        return self.response.mode.capped(self.status.ceiling) if self.response else None


class Evaluation(NamedTuple):
    """The matches of one event; `undecided` if an enrichment could add any."""

    matches: tuple[RuleMatch, ...] = ()
    undecided: bool = False


_NO_MATCH = Evaluation()
_UNDECIDED = Evaluation(undecided=True)

_Condition = tuple[Node, tuple[Responder, ...]]
"""A condition, and the rules that respond if it holds."""


class RuleSet:
    """All rules of a folder, compiled."""

    evaluate: Callable[[Event], Evaluation]
    """Evaluate one event against every rule of its kind.

    Fields of an enrichment are unknown while the record does not have it. A rule that depends on
    one is then undecided.
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
        self.people: Sequence[ProtectedName] = ()
        self.protected_names = ProtectedNames(())
        self.protected_people = ProtectedPeople(lists.get(PROTECTED_PEOPLE, ()))
        self.providers = AccountProviders()
        self.version = self._version_under(safety)

        self._graph = CorrelationGraph(
            {name: one.correlation for name, one in rules.items() if one.correlation is not None}
        )
        conditions = {kind: list(self._conditions(kind)) for kind in EventKind}
        self._nodes = {kind: [node for node, _ in found] for kind, found in conditions.items()}
        self._engines = {kind: Engine(found, kind, today) for kind, found in conditions.items()}
        self._decide = {kind: engine.decide for kind, engine in self._engines.items()}
        self._partial: dict[EventKind, PartialEvaluation] = {
            kind: PartialEvaluation((node for node, _ in found), today)
            for kind, found in conditions.items()
            if SOURCES[kind].is_joined
        }
        self.evaluate = self._decide_event = self._evaluator_of_one(conditions) or self._evaluate
        self.asks_impersonation = any(
            asks_impersonation(rule.tree, rule.response, rule.correlation)
            for rule in rules.values()
        )

    def with_safety(self, safety: Safety) -> "RuleSet":
        """Give the same rules under another safety document."""
        # Shallow: both sets share the compiled conditions.
        changed = copy.copy(self)
        changed.safety = safety
        changed.version = self._version_under(safety)
        return changed

    def with_people(self, people: Sequence[ProtectedName]) -> "RuleSet":
        """Give the same rules with the people of its lists."""
        changed = copy.copy(self)
        changed.people = people
        changed.version = changed._version_under(self.safety)  # noqa: SLF001 - a copy of this
        return changed.with_registry(())

    def with_registry(self, registry: Iterable[ProtectedName]) -> "RuleSet":
        """Give the same rules with the names of an impersonation registry."""
        changed, decide = copy.copy(self), self._decide_event
        changed.protected_names = ProtectedNames([*self.people, *registry])
        if self.asks_impersonation:
            changed.evaluate = lambda event: decide(changed.complete(event))
        return changed

    def with_providers(self, providers: AccountProviders) -> "RuleSet":
        """Give the same rules for an account with these providers of mailboxes."""
        changed = copy.copy(self)
        changed.providers = providers
        return changed

    def mark(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """Mark what is special about the mailboxes of messages: whose, and at which provider."""
        return self.providers.mark(self.protected_people.mark(targets))

    def complete(self, event: Event) -> Event:
        """Give an event with the name that its sender impersonates, if any rule asks for it."""
        return self.protected_names.complete(event) if self.asks_impersonation else event

    def _version_under(self, safety: Safety) -> str:
        versions = sorted(rule.version for rule in self.rules.values())
        # Other lists are part of the rules that name them.
        people = self.lists.get(PROTECTED_PEOPLE, ())
        return digest(versions, safety.model_dump_json(), *people, *self.people)

    def mode_of(self, rule: Rule) -> Mode | None:
        """The mode of a rule under the safety document; None for a building block."""
        return rule.mode.capped(self.safety.ceiling_of(rule.name)) if rule.mode else None

    @property
    def weakened(self) -> tuple[Rule, ...]:
        """The rules whose status the safety document does not allow."""
        return tuple(one for one in self.rules.values() if self.mode_of(one) is not one.mode)

    @property
    def responding(self) -> int:
        """How many rules have a response; the others are building blocks."""
        return sum(one.response is not None for one in self.rules.values())

    def prepare(self) -> None:
        """Build every index now, so that no event waits for it."""
        for engine in self._engines.values():
            engine.prepare()

    def may_match(self, event: Event) -> bool:
        """Whether an event without its message could match once the message is known."""
        partial = self._partial.get(event.kind)
        return partial is None or partial.may_match(event)

    @property
    def enrichments(self) -> frozenset[Enrichment]:
        """The enrichments that any rule asks for."""
        found = (asked for conditions in self._enriched.values() for _, asked in conditions)
        return frozenset[Enrichment]().union(*found)

    def missing_enrichment(self, event: Event) -> Enrichment | None:
        """Give what to read next for an event that is undecided; None if it is not.

        Histories come last, so that they are read only where detections leave a rule undecided.
        """
        event = self.complete(event)
        missing = {
            one
            for predicate, asked in self._enriched[event.kind]
            if predicate(event.record) is None
            for one in asked
            if one.value not in event.message
        }
        return next((one for one in Enrichment if one in missing), None)

    def leaves(self, rule: Rule) -> tuple[str, ...]:
        """Name the rules with a condition: the rule itself, or those below a correlation."""
        return self._graph.leaves(rule.correlation) if rule.correlation else (rule.name,)

    def sources_of(self, rule: Rule, name: str) -> Iterator[tuple[Rule, str]]:
        """Give the rules with a condition from which a group field comes, with their field."""
        if rule.correlation is None:
            yield rule, name
            return
        for path in self._graph.paths(rule.correlation):
            yield self.rules[path[-1]], self._graph.resolve_field(rule.correlation, name, path)

    def window_of(self, rule: Rule) -> CorrelationWindow | None:
        """Give the window of a correlation; None for a rule on single events."""
        return self._graph.window(rule.correlation) if rule.correlation else None

    def plan_group(self, name: str, group: Mapping[str, str | None]) -> CasePlan | None:
        """Plan the case of one group of a correlation.

        None if there is no such correlation, or it has no response or groups by other fields.
        """
        rule = self.rules.get(name)
        if rule is None or rule.response is None or rule.correlation is None:
            return None
        if set(rule.response.group_by) != set(group):
            return None
        return fill_plan(self._plan(rule, rule.response), group)

    def explain(self, name: str, event: Event) -> tuple[Explanation, ...]:
        """Explain a rule for an event: one tree, or for a correlation one for each rule below it.

        Raises:
            KeyError: there is no such rule.

        """
        event = self.complete(event)
        found: list[Explanation] = []
        for leaf in self.leaves(self.rules[name]):
            if (tree := self.rules[leaf].tree) is not None:
                explained = explain_node(tree, event, self.today)
                found.append(Explanation(leaf, explained.outcome, children=(explained,)))
        return tuple(found)

    def missing_group_fields(self, name: str, event: Event) -> tuple[str, ...]:
        """Name the fields without which no group of a correlation counts an event.

        Raises:
            KeyError: there is no such rule.

        """
        rule = self.rules[name]
        if rule.correlation is None or rule.response is None:
            return ()
        responders = (
            self._responder(rule, path)
            for path in self._graph.paths(rule.correlation)
            if event.kind in self.rules[path[-1]].kinds
        )
        return tuple(
            dict.fromkeys(name for one in responders for name in one.missing_fields(event))
        )

    # ---- evaluation

    @cached_property
    def _enriched(self) -> Mapping[EventKind, Sequence[tuple[Predicate, frozenset[Enrichment]]]]:
        """The conditions that ask for enrichments, compiled."""
        return {
            kind: [
                (compile_node(node, self.today), asked)
                for node in nodes
                if (asked := enrichments_of(node))
            ]
            for kind, nodes in self._nodes.items()
        }

    def _evaluate(self, event: Event) -> Evaluation:
        decision = self._decide[event.kind](event.record)
        if decision is NOTHING:
            return _NO_MATCH
        hits, undecided = decision
        if not hits:
            return _UNDECIDED if undecided else _NO_MATCH
        return Evaluation(
            tuple([one for responders in hits for one in _matches(responders, event)]), undecided
        )

    def _evaluator_of_one(
        self, conditions: Mapping[EventKind, Sequence[_Condition]]
    ) -> Callable[[Event], Evaluation] | None:
        """Generate the evaluation of a single condition, to save the cost of the dispatch."""
        found = [(kind, *one) for kind, some in conditions.items() for one in some]
        if len(found) != 1:
            return None
        ((kind, node, responders),) = found

        def match(event: Event) -> Evaluation:
            return Evaluation(_matches(responders, event))

        branches = Branches(match, _NO_MATCH, self._evaluate)
        return generate_evaluator(node, kind, self.today, branches)

    # ---- responders

    def _conditions(self, kind: EventKind) -> Iterator[_Condition]:
        """Give the conditions on one kind of event that any rule responds to."""
        paths: dict[str, list[tuple[Rule, tuple[str, ...]]]] = {}
        for rule in self.rules.values():
            if rule.response is not None:
                for path in (
                    self._graph.paths(rule.correlation) if rule.correlation else [(rule.name,)]
                ):
                    paths.setdefault(path[-1], []).append((rule, path))

        for rule in self.rules.values():
            if rule.tree is not None and kind in rule.kinds and rule.name in paths:
                itself_first = sorted(paths[rule.name], key=lambda one: one[0] is not rule)
                yield rule.tree, tuple(self._responder(*one) for one in itself_first)

    def _responder(self, rule: Rule, path: tuple[str, ...]) -> Responder:
        """Make the responder of a rule for the events that match the rule at the end of a path."""
        if rule.response is None:
            raise ValueError(f"{rule.name} has no response")
        fields = tuple(
            self._group_field(rule.correlation, name, path) for name in rule.response.group_by
        )
        inner = tuple(
            self._inner_group(self._graph.correlations[name], path[index + 1 :])
            for index, name in enumerate(path[:-1])
        )
        counted = self._counted_field(rule.correlation, path) if rule.correlation else None
        return Responder(self._plan(rule, rule.response), "/".join(path), fields, counted, inner)

    def _plan(self, rule: Rule, response: Response) -> CasePlan:
        return CasePlan(
            rule=rule.name,
            version=rule.version,
            actions_version=rule.actions_version,
            condition_version=rule.condition_version,
            title=rule.title,
            level=rule.level,
            mode=response.mode.capped(rule.status.ceiling),
            actions=response.actions,
            notifications=response.notifications,
            limits=response.limits,
            correlation=self.window_of(rule),
            # Nobody is asked before it happens, as with a rule that enforces.
            while_held=response.while_held if rule.status.ceiling is Mode.ENFORCE else None,
        )

    def _inner_group(self, correlation: Correlation, path: tuple[str, ...]) -> InnerGroup:
        fields = tuple(self._group_field(correlation, name, path) for name in correlation.group_by)
        return InnerGroup(fields, self._counted_field(correlation, path))

    def _counted_field(
        self, correlation: Correlation, path: tuple[str, ...]
    ) -> CountedField | None:
        name = correlation.value_field
        if name is None:
            return None
        return CountedField(self._group_field(correlation, name, path), correlation.at_least)

    def _group_field(
        self, correlation: Correlation | None, name: str, path: tuple[str, ...]
    ) -> GroupField:
        field = self._graph.resolve_field(correlation, name, path) if correlation else name
        kind = self.rules[path[-1]].kinds[0]
        return GroupField(name, tuple(field.split(".")), find_field(kind, field))


def _matches(responders: Sequence[Responder], event: Event) -> tuple[RuleMatch, ...]:
    """Give the matches of a condition that holds, without those that no correlation counts."""
    return tuple(
        [
            RuleMatch(responder, event)
            for responder in responders
            if not responder.required or not responder.missing_fields(event)
        ]
    )


def digest(*parts: object) -> str:
    """Hash content into the 12 hex digits of a version."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
