"""Predicts what a rule would do about some events at a given time, and what prevents it.

Decided by the engine and the case state machine, without I/O. Budgets are left out: only the guard
knows what is left of them.
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
from clawback.model.events import Event, age_of
from clawback.model.identity import Actor, Identity
from clawback.model.mode import Mode
from clawback.rules.eligibility import (
    NO_TIME_TEXT,
    Ineligibility,
    cap_plan,
    find_ineligibilities,
)
from clawback.rules.engine.explanation import Explanation
from clawback.rules.engine.ruleset import Rule, RuleSet

ACT = "act"
"""The outcome of a target that would really be acted on."""

_SOMEBODY = Actor(identity=Identity(subject="somebody"))
_FAILURES = {
    "never_block": "the never-block list of safety.yml contains it",
    "no_message": "its message was not found",
}


@dataclass(frozen=True, slots=True)
class DryRunContext:
    """The strongest mode allowed, the age limit of events (None: no limit), and the time."""

    ceiling: Mode
    age_limit: timedelta | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """What prevents an action: a code for programs, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class EventResult:
    """The outcome of the condition for one event, and what keeps the event from any case."""

    event: Event
    outcome: bool | None
    trees: tuple[Explanation, ...]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """An action with its templates filled in, and its predicted outcomes, counted over targets.

    `elsewhere` says for which of them another folder is used, and why.
    """

    action: Action
    outcomes: Mapping[str, int]
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRun:
    """One case that the events would open.

    `state` is that of the case at its end; None if its correlation would still count. `while_held`
    is what it would do while it waits for people; without outcomes if it would not be held. If
    `is_barred`, no event would reach it, for the first of the reasons; the rest then says what
    would be done otherwise.
    """

    plan: CasePlan
    written_mode: Mode
    state: CaseState | None
    events: tuple[str, ...]
    progress: Progress | None
    planned: tuple[PlannedAction, ...]
    reasons: tuple[Reason, ...]
    is_barred: bool = False
    while_held: PlannedAction | None = None

    @property
    def acts(self) -> bool:
        """Whether anything would be changed at once, without asking anybody."""
        enforced = self.planned if self.plan.mode is Mode.ENFORCE else ()
        at_once = (*enforced, *([self.while_held] if self.while_held else []))
        return not self.is_barred and any(ACT in planned.outcomes for planned in at_once)


def dry_run(
    rules: RuleSet, name: str, events: Sequence[Event], context: DryRunContext
) -> tuple[tuple[EventResult, ...], tuple[DryRun, ...]]:
    """Evaluate a rule for each event, and predict the cases that the events would open together.

    Raises:
        KeyError: there is no such rule.

    """
    rule = rules.rules[name]
    results = tuple(
        _evaluate(rules, rule, event, context) for event in events if event.kind in rule.kinds
    )
    cases: dict[str, tuple[CasePlan, list[tuple[Match, EventResult]]]] = {}
    for result in results:
        for plan, match in _matches(rules, rule, result, context):
            cases.setdefault(plan.case_id, (plan, []))[1].append((match, result))
    return results, tuple(
        _dry_run_case(plan, rule, found, context) for plan, found in cases.values()
    )


# ---- events


def _evaluate(rules: RuleSet, rule: Rule, event: Event, context: DryRunContext) -> EventResult:
    trees = rules.explain(rule.name, event)
    answers = [tree.outcome for tree in trees]
    outcome = True if True in answers else None if None in answers else False
    reasons = (
        *_condition_reasons(rule, outcome),
        *_group_reasons(rules, rule, event, outcome),
        *_eligibility_reasons(rules, event, context),
    )
    return EventResult(event, outcome, trees, reasons)


def _condition_reasons(
    rule: Rule,
    outcome: bool | None,  # noqa: FBT001 - a value, not a switch
) -> Iterator[Reason]:
    if outcome is False:
        yield Reason("no_match", "the condition is false")
    if outcome is None:
        yield Reason("undecided", "the condition depends on what was not read: see the condition")
    if rule.response is None:
        yield Reason("no_response", "the rule is a building block: it has no response")


def _group_reasons(
    rules: RuleSet,
    rule: Rule,
    event: Event,
    outcome: bool | None,  # noqa: FBT001 - a value, not a switch
) -> Iterator[Reason]:
    missing = rules.missing_group_fields(rule.name, event) if outcome else ()
    if missing:
        fields = " and ".join(missing)
        yield Reason("no_group", f"the correlation does not count it: {fields} has no value")


def _eligibility_reasons(rules: RuleSet, event: Event, context: DryRunContext) -> Iterator[Reason]:
    found = find_ineligibilities(event, rules.safety, context.age_limit, context.now)
    if Ineligibility.DELIVERY_MODE in found:
        mode = event.message.get("delivery_mode")
        text = f"mail with delivery mode {mode} is never acted on (safety.yml)"
        yield Reason("delivery_mode", text)
    if Ineligibility.NO_TIME in found:
        yield Reason("no_time", NO_TIME_TEXT)
    if Ineligibility.AGE in found and context.age_limit is not None:
        hours = age_of(event, context.now) // timedelta(hours=1)
        age, limit = format_duration(timedelta(hours=hours)), format_duration(context.age_limit)
        source = "maximum_age in safety.yml, CLAWBACK_AGE_LIMIT"
        yield Reason("age", f"the event is {age} old; the limit is {limit} ({source})")


def _matches(
    rules: RuleSet, rule: Rule, result: EventResult, context: DryRunContext
) -> Iterator[tuple[CasePlan, Match]]:
    event = result.event
    for found in rules.evaluate(event).matches:
        if found.plan.rule == rule.name:
            match = Match(
                key=event.key,
                identity=event.identity if event.version else "",
                at=event.at,
                seen_at=context.now,
                rule=found.rule,
                values=found.values,
                links=found.links,
                targets=rules.mark(event.targets),
                handled=event.handled,
            )
            yield cap_plan(found.plan, rules.safety, context.ceiling), match


# ---- cases


def _dry_run_case(
    plan: CasePlan,
    rule: Rule,
    found: Sequence[tuple[Match, EventResult]],
    context: DryRunContext,
) -> DryRun:
    """Run a case with the events that would reach it; if none would, with all of them."""
    admitted = [match for match, result in found if not result.reasons]
    matches = admitted or [match for match, _ in found]
    barring: dict[Reason, None] = {}
    if not admitted:
        barring = dict.fromkeys(reason for _, result in found for reason in result.reasons)

    progress = (
        measure_progress(plan.correlation, _window_entries(matches)) if plan.correlation else None
    )
    case = Case.open(plan, CaseTiming(), "dry-run", context.now)
    is_counting = progress is not None and not progress.is_satisfied
    for match in () if is_counting else matches:
        case.add_match(match, context.now)
    _run_to_end(case, context.now)

    targets = {target.id: target for match in matches for target in match.targets}
    every = [
        PlannedAction(
            action,
            dict(Counter(outcomes.values())),
            () if action.needs_search else tuple(action.describe_elsewhere(targets.values())),
        )
        for action, outcomes in zip(plan.all_actions, case.snapshot().outcomes, strict=True)
    ]
    planned, beside = tuple(every[: len(plan.actions)]), every[len(plan.actions) :]
    written_mode = rule.response.mode if rule.response else plan.mode
    return DryRun(
        plan=plan,
        written_mode=written_mode,
        state=None if is_counting else case.state,
        events=tuple(match.key for match in matches),
        progress=progress,
        planned=planned,
        reasons=(
            *barring,
            *_case_reasons(plan, written_mode, context.ceiling, progress, planned),
        ),
        is_barred=bool(barring),
        while_held=beside[0] if beside else None,
    )


def _window_entries(matches: Sequence[Match]) -> list[WindowEntry]:
    return [
        WindowEntry(
            key=match.window_key,
            at=match.at,
            rule=match.rule,
            values=match.values,
            links=match.links,
        )
        for match in matches
    ]


def _run_to_end(case: Case, now: datetime) -> None:
    """Let a case take every step, approval included; what it would really do ends as `ACT`."""
    while True:
        step = case.next(now)
        if isinstance(step, ActionStep):
            case.end_step(step, dict.fromkeys(step.subjects, ACT), now)
        elif case.state is CaseState.HELD:
            case.decide(Decision(approved=True, actor=_SOMEBODY, at=now))
        else:
            return


def _case_reasons(
    plan: CasePlan,
    written_mode: Mode,
    ceiling: Mode,
    progress: Progress | None,
    planned: Sequence[PlannedAction],
) -> Iterator[Reason]:
    if progress is not None and not progress.is_satisfied:
        yield Reason("counting", f"the threshold is not reached: {progress}")
    if plan.mode is not Mode.ENFORCE:
        yield Reason("mode", _render_mode(plan.mode, written_mode, ceiling))

    outcomes = Counter[str]()
    for one in planned:
        outcomes.update(one.outcomes)
    if handled := outcomes[ALREADY_THERE]:
        text = f"{handled} of the messages were already moved, released or quarantined"
        yield Reason("handled", text)
    for outcome in outcomes:
        if outcome.startswith("failed:"):
            code = outcome.removeprefix("failed:")
            yield Reason(code, _FAILURES.get(code, f"it would fail: {code.replace('_', ' ')}"))


def _render_mode(mode: Mode, written: Mode, ceiling: Mode) -> str:
    effect = "it only records what it would do" if mode is Mode.SHADOW else "it asks a person first"
    if mode is written:
        return f"{effect}: the rule's mode is {written}"
    source = "the ceiling CLAWBACK_MODE is" if mode is ceiling else "safety.yml allows at most"
    return f"{effect}: the rule's mode is {written}, but {source} {mode}"
