"""What a rule would do about some events, and what stands against it.

Pure: decided by the engine and the case machine, at a given moment.

Budgets are not asked: what is left of them is known to the guard alone, when a case acts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clawback.actions import Action
from clawback.actions.outcomes import ALREADY_THERE
from clawback.cases import ActionStep, Case, CasePlan, CaseState, CaseTiming, Decision, Match
from clawback.correlation.progress import Progress, measure_progress
from clawback.correlation.sliding_window import WindowEntry
from clawback.model.durations import format_duration
from clawback.model.events import Event, EventKind, age_of, is_too_old
from clawback.model.mode import Mode
from clawback.rules.engine.explanation import Explanation
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.source.safety import Safety

ACT = "act"
"""The outcome of what would really be done."""
_AFTER = {
    "never_block": "safety.yml has it on the never-block list",
    "no_message": "no message of it is known",
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which the question is asked.

    The strongest mode allowed, the age limit (None: there is none), and what time it is.
    """

    ceiling: Mode
    age_limit: timedelta | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps a rule from acting: a word for machines and a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What the condition says of one event, and what keeps the event from any case."""

    event: Event
    outcome: bool | None
    trees: tuple[Explanation, ...]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """One action with its templates filled in, and how it would end for each message (or for the case), counted."""

    action: Action
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DryRun:
    """One case that would come of the events.

    `acts` if anything would really be changed without asking anybody.

    `barred` says that no case would come of them at all, for the first of the reasons; then it is
    what would be done otherwise.
    """

    plan: CasePlan
    written_mode: Mode
    state: CaseState
    events: tuple[str, ...]
    standing: Progress | None
    planned: tuple[Planned, ...]
    reasons: tuple[Reason, ...]
    barred: bool = False

    @property
    def acts(self) -> bool:
        """Whether anything would be changed at once."""
        return (
            not self.barred
            and self.plan.mode is Mode.ENFORCE
            and any(ACT in planned.outcomes for planned in self.planned)
        )


def dry_run(
    rules: RuleSet, name: str, events: Sequence[Event], under: Circumstances
) -> tuple[tuple[RuleVerdict, ...], tuple[DryRun, ...]]:
    """Say what a rule makes of each event, and which cases would come of them together.

    Raises:
        KeyError: there is no such rule.

    """
    rule = rules.rules[name]
    verdicts = tuple(
        _verdict(rules, rule, event, under) for event in events if event.kind in rule.kinds
    )
    cases: dict[str, tuple[CasePlan, list[tuple[Match, RuleVerdict]]]] = {}
    for verdict in verdicts:
        for plan, match in _matches(rules, rule, verdict, under):
            cases.setdefault(plan.case_id, (plan, []))[1].append((match, verdict))
    return verdicts, tuple(_outlook(plan, rule, found, under) for plan, found in cases.values())


def _verdict(rules: RuleSet, rule: Rule, event: Event, under: Circumstances) -> RuleVerdict:
    trees = tuple(tree for tree in rules.explain(rule.name, event))
    answers = [tree.outcome for tree in trees]
    outcome = True if True in answers else None if None in answers else False
    return RuleVerdict(event, outcome, trees, tuple(_against(rules, rule, event, under, outcome)))


def _against(
    rules: RuleSet,
    rule: Rule,
    event: Event,
    under: Circumstances,
    outcome: bool | None,  # noqa: FBT001
) -> Iterator[Reason]:
    message = event.record if event.kind is EventKind.MESSAGE else event.record.get("message") or {}
    mode = message.get("delivery_mode") if isinstance(message, Mapping) else None
    if outcome is False:
        yield Reason("no_match", "the condition is false")
    if outcome is None:
        yield Reason("undecided", "the condition hangs on /detections, which are not known")
    if rule.response is None:
        yield Reason("no_response", "the rule is a building block: it has no response of its own")
    if mode in rules.safety.ignored_delivery_modes:
        yield Reason("delivery_mode", f"mail delivered as {mode} is never acted on (safety.yml)")
    if is_too_old(event, under.now, under.age_limit) and under.age_limit is not None:
        age = format_duration(timedelta(hours=age_of(event, under.now) // timedelta(hours=1)))
        limit = format_duration(under.age_limit)
        yield Reason(
            "age",
            f"the event is {age} old, and nothing older than {limit} is touched (maximum_age in safety.yml, CLAWBACK_AGE_LIMIT)",
        )


def _matches(
    rules: RuleSet, rule: Rule, verdict: RuleVerdict, under: Circumstances
) -> Iterator[tuple[CasePlan, Match]]:
    event = verdict.event
    for found in rules.evaluate(event).matches:
        if found.plan.rule == rule.name:
            match = Match(
                key=event.key,
                identity=event.identity if event.version else "",
                at=event.at,
                seen_at=under.now,
                rule=found.rule,
                value=found.value,
                links=found.links,
                targets=event.targets,
                handled=event.handled,
            )
            yield under_ceiling(found.plan, rules.safety, under.ceiling), match


def under_ceiling(plan: CasePlan, safety: Safety, ceiling: Mode) -> CasePlan:
    """Give the plan as a case would get it.

    Its mode capped, and the actions that safety forbids refused.
    """
    refusals = {
        index: reason
        for index, action in enumerate(plan.actions)
        if (reason := safety.refuses(action)) is not None
    }
    return plan.model_copy(update={"mode": plan.mode.capped(ceiling), "refusals": refusals})


def _outlook(
    plan: CasePlan, rule: Rule, found: Sequence[tuple[Match, RuleVerdict]], under: Circumstances
) -> DryRun:
    """Carry a case out: with the events that would reach it, or, where none would, with all of them and the reasons why not."""
    admitted = [match for match, verdict in found if not verdict.reasons]
    barring = (
        ()
        if admitted
        else dict.fromkeys(reason for _, verdict in found for reason in verdict.reasons)
    )
    matches = admitted or [match for match, _ in found]
    case = Case.open(plan, CaseTiming(), "outlook", under.now)
    for match in matches:
        case.take(match, under.now)
    _carry_out(case, under.now)
    watch = plan.watch
    sightings = [
        WindowEntry(
            key=match.sighted_as, at=match.at, rule=match.rule, value=match.value, links=match.links
        )
        for match in matches
    ]
    standing = measure_progress(watch, sightings) if watch else None
    planned = tuple(
        Planned(action, dict(Counter(done.values())))
        for action, done in zip(plan.actions, case.memory().outcomes, strict=True)
    )
    written = rule.response.mode if rule.response else plan.mode
    reasons = (*barring, *_holding_back(plan, written, standing, planned))
    return DryRun(
        plan,
        written,
        case.state,
        tuple(match.key for match in matches),
        standing,
        planned,
        reasons,
        bool(barring),
    )


def _carry_out(case: Case, now: datetime) -> None:
    """Let a case do all it would do, approval included; what it would really do ends as `ACT`."""
    while True:
        step = case.next(now)
        if isinstance(step, ActionStep):
            case.settle(step, dict.fromkeys(step.subjects, ACT), now)
        elif case.state is CaseState.HELD:
            case.decide(Decision(approved=True, by="", at=now))
        else:
            return


def _holding_back(
    plan: CasePlan, written: Mode, standing: Progress | None, planned: Sequence[Planned]
) -> Iterator[Reason]:
    if standing is not None and not standing.fires:
        yield Reason("watching", f"the threshold is not met: {standing}")
    if plan.mode is not Mode.ENFORCE:
        what = (
            "it only records what it would have done"
            if plan.mode is Mode.SHADOW
            else "it asks a person first"
        )
        why = (
            f"the rule's mode is {written}"
            if plan.mode is written
            else f"the rule says {written}, the ceiling CLAWBACK_MODE is {plan.mode}"
        )
        yield Reason("mode", f"{what}: {why}")
    outcomes = Counter[str]()
    for one in planned:
        outcomes.update(one.outcomes)
    if handled := outcomes[ALREADY_THERE]:
        yield Reason(
            "handled", f"{handled} of the messages had already been moved, released or quarantined"
        )
    for outcome in outcomes:
        if outcome.startswith("failed:"):
            code = outcome.removeprefix("failed:")
            yield Reason(code, _AFTER.get(code, f"it cannot be done: {code.replace('_', ' ')}"))
