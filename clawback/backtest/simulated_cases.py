"""Runs the matches of each group through real cases, and collects what those would have done. Pure.

The threshold of a correlation is found with `find_window`. From there on `clawback.cases.Case`
decides, with these assumptions: an event is seen when it happened, people approve at once, every
request succeeds, and a search finds nothing. As nothing is held for long, `while-held` is left out.
"""

import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from clawback.actions import Scope
from clawback.actions.outcomes import ALREADY_THERE, CREATED, TOOK_EFFECT, WOULD, failed
from clawback.backtest.replay import ReplayedMatch, Version
from clawback.cases import ActionStep, Case, CasePlan, CaseState, CaseTiming, Decision, SearchStep
from clawback.correlation.sliding_window import CorrelationWindow, WindowEntry, find_window
from clawback.model.audit_record import AuditRecord
from clawback.model.identity import Actor, Identity
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.rules.eligibility import cap_plan

TIMING = CaseTiming()


class SimulatedOutcome(NamedTuple):
    """An action that a case would have performed, on one message or once (`target` is empty)."""

    action: str
    at: datetime
    target: str = ""


@dataclass(slots=True)
class SimulatedCase:
    """One case: its matches, and what it did.

    `responds_at` is None if the threshold of its correlation was never met. `refused` counts, by
    reason, what the case would not have done.
    """

    id: str
    plan: CasePlan
    group: Mapping[str, str | None]
    matches: Sequence[ReplayedMatch]
    responds_at: datetime | None = None
    done: Sequence[SimulatedOutcome] = ()
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def messages(self) -> frozenset[str]:
        """The investigate ids of its messages."""
        return frozenset(target.id for match in self.matches for target in match.targets)


def simulate_cases(version: Version) -> Iterator[SimulatedCase]:
    """Simulate every case of a version, group by group."""
    plans = _Plans(version)
    for id_, (plan, group, matches) in version.cases.items():
        capped, immediate = plans.of(plan)
        pause = TIMING.linger + (plan.correlation.reach if plan.correlation else timedelta())
        for part in _split_at_pauses(matches, pause):
            if plan.correlation is None and len(part) == 1 and len(part[0].targets) <= 1:
                case = SimulatedCase(id_, capped, group, part, part[0].at)
                plans.respond_once(case, immediate)
                yield case
                continue

            entries = [match.window_entry for match in part] if plan.correlation else []
            start = 0
            while start < len(part):
                case = SimulatedCase(id_, capped, group, part[start:])
                counted = _count(plan.correlation, case.matches, entries[start:])
                if counted is not None:
                    _respond(case, immediate, counted)
                yield case
                start += len(case.matches)


class _Plans:
    """What cases are simulated with, worked out once for all groups that share a plan."""

    def __init__(self, version: Version) -> None:
        self._safety = version.rules.safety
        self._plans: dict[int, tuple[CasePlan, CasePlan]] = {}
        self._single: dict[Hashable, SimulatedCase] = {}

    def of(self, plan: CasePlan) -> tuple[CasePlan, CasePlan]:
        """Give the plan as its cases get it, and the same without correlation and notices."""
        if (known := self._plans.get(id(plan))) is None:
            capped = cap_plan(plan, self._safety, Mode.ENFORCE)
            left_out = {"correlation": None, "notifications": (), "while_held": None}
            immediate = capped.model_copy(update=left_out)
            known = self._plans[id(plan)] = capped, immediate
        return known

    def respond_once(self, case: SimulatedCase, plan: CasePlan) -> None:
        """Let a case with a single match, of at most one message, act.

        Such cases differ only in what names and dates the message, so that one stands for all
        that are equal in the rest. Most cases of a history are of this kind.
        """
        (match,) = case.matches
        shape = (id(plan), match.handled, *map(_shape, match.targets))
        if (known := self._single.get(shape)) is None:
            self._single[shape] = case
            _respond(case, plan, 1)
            return

        target = match.targets[0].id if match.targets else ""
        case.refused = known.refused
        case.done = tuple(
            SimulatedOutcome(one.action, match.at, target if one.target else "")
            for one in known.done
        )


_NAMES = {"id", "message_id", "at", "sender", "mailbox"}
_shape = attrgetter(*(one.name for one in fields(Target) if one.name not in _NAMES))
"""What a case may decide by: everything of a message but its names and its time."""


def _split_at_pauses(
    matches: Iterable[ReplayedMatch], pause: timedelta
) -> Iterator[list[ReplayedMatch]]:
    """Split matches, by time, where no case and no window can reach over a pause."""
    part = list[ReplayedMatch]()
    for match in sorted(matches, key=lambda match: (match.at, match.key)):
        if part and match.at - part[-1].at > pause:
            yield part
            part = []
        part.append(match)

    yield part


def _count(
    correlation: CorrelationWindow | None,
    matches: Sequence[ReplayedMatch],
    entries: Sequence[WindowEntry],
) -> int | None:
    """Count the matches it takes to open a case; None if the threshold is never met."""
    if correlation is None:
        return 1

    window = find_window(correlation, entries)
    if window is None:
        return None

    last = window[-1]  # where a correlation refers to another, its key ends with the event's key
    return 1 + next(
        index
        for index, match in enumerate(matches)
        if match.at == last.at and last.key.endswith(match.key)
    )


def _respond(simulated: SimulatedCase, plan: CasePlan, counted: int) -> None:
    """Open the case with the first matches, give it all that follow until it closes, let it act."""
    matches = simulated.matches
    responds_at = matches[counted - 1].at
    case = Case.open(plan, TIMING, uid="", now=responds_at, limit=sys.maxsize)
    taken = 0

    for match in matches:
        now = max(match.at, responds_at)
        if taken >= counted and now > case.idle_until:
            break
        case.add_match(match.case_match, now)
        taken += 1

    simulated.matches, simulated.responds_at = matches[:taken], responds_at
    _perform(case, now=max(matches[taken - 1].at, responds_at))
    _collect(simulated, case.take_records(), responds_at)


def _perform(case: Case, now: datetime) -> None:
    """Let the case do everything: requests succeed, searches find nothing, people approve."""
    approvals = 0
    while True:
        step = case.next(now)
        if isinstance(step, ActionStep):
            case.end_step(step, dict.fromkeys(step.subjects, CREATED), now)
        elif isinstance(step, SearchStep):
            case.end_search(step, (), None, now)
        elif case.state is CaseState.HELD:
            approvals += 1
            case.decide(Decision(approved=True, actor=_approver(approvals), at=now))
        else:
            return


def _approver(number: int) -> Actor:
    return Actor(identity=Identity(subject=f"approver {number}"))


def _collect(
    simulated: SimulatedCase, records: Iterable[AuditRecord], responds_at: datetime
) -> None:
    """Sort the audit records of actions into what the case did and what it refused."""
    done = list[SimulatedOutcome]()
    once = {action.name for action in simulated.plan.actions if action.scope is Scope.CASE}
    arrivals = {
        target.id: max(match.at, responds_at)
        for match in reversed(simulated.matches)
        for target in match.targets
    }
    for record in records:
        if record.action is None:
            continue

        outcome = record.outcome or WOULD
        if outcome != WOULD and outcome not in TOOK_EFFECT:
            simulated.refused[_describe_refusal(outcome)] += 1
        elif record.action in once or record.target is None:
            done.append(SimulatedOutcome(record.action, responds_at))
        else:
            at = arrivals[record.target]
            done.append(SimulatedOutcome(record.action, at, record.target))

    simulated.done = done


def _describe_refusal(outcome: str) -> str:
    if outcome == ALREADY_THERE:
        return "already dealt with"
    return outcome.removeprefix(failed("")).replace("_", " ")
