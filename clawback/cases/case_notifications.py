"""Whom a case tells what, and when: pure, from its plan and its memory.

People are told after the work, once for each occasion. What arrives late is told in digests that
come ever more rarely, so their number stays small however long a campaign goes on; what is still
untold is told when the case closes.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from clawback.actions import Notice, Notify, Occasion
from clawback.cases.descriptions import describe
from clawback.cases.plan import CasePlan, Match
from clawback.cases.state import (
    ActionStep,
    ActionSummary,
    CaseSnapshot,
    CaseState,
    Delivery,
    NotificationContext,
    NotificationStep,
    Step,
    WaitStep,
)
from clawback.model.texts import bounded

FIRST_DIGEST = timedelta(minutes=10)
"""How long after the first notice of work done the next may come; twice as long each time."""
MOST_REPORTERS = 200
"""Reporters of one case who are written to; what more of them ask for, a person should answer."""
_OCCASIONS = {
    CaseState.HELD: Occasion.HELD,
    CaseState.SETTLED: Occasion.DONE,
    CaseState.DENIED: Occasion.DENIED,
    CaseState.EXPIRED: Occasion.EXPIRED,
}


class CaseNotifications:
    """The notices of one case: those that went out, and what is to be told next."""

    def __init__(self, plan: CasePlan, memory: CaseSnapshot) -> None:
        self._plan = plan
        self.told = list(memory.told)
        self.reporters = list(memory.reporters)

    def take(self, match: Match) -> None:
        """Note who submitted what joined the case, however they write themselves."""
        known = {one.lower() for one in self.reporters}
        if (
            match.reporter
            and match.reporter.lower() not in known
            and len(self.reporters) < MOST_REPORTERS
        ):
            self.reporters.append(match.reporter)

    def begin(self, tell: NotificationStep, now: datetime, outcome: str = "") -> None:
        """Note that a notice is on its way; that is never repeated."""
        self.told.append(
            Delivery(
                index=tell.index,
                occasion=tell.facts.occasion,
                episode=tell.episode,
                at=now,
                outcome=outcome,
            )
        )

    def end(self, number: int, outcome: str) -> Notice | None:
        """Note what became of a notice, and say which of the plan's it was.

        None where there is no such notice.
        """
        if number >= len(self.told):
            return None
        self.told[number] = self.told[number].model_copy(update={"outcome": outcome})
        return self._plan.notices[self.told[number].index]

    def before(
        self,
        step: Step,
        memory: CaseSnapshot,
        stands: CaseState,
        now: datetime,
        patience: timedelta,
    ) -> Step:
        """Give what is to be told before a step that does no work, or that step, which waits no longer than until the next digest.

        `stands` is the state of the case, or the one it was in when it closed.
        """
        occasion = _OCCASIONS.get(stands)
        if isinstance(step, ActionStep) or occasion is None:
            return step
        for index, notice in enumerate(self._plan.notices):
            for episode, to in _due(index, notice, occasion, memory, now):
                facts = _facts(self._plan, memory, occasion, now, patience)
                facts = facts.model_copy(update={"is_late": bool(_done(index, memory))})
                return NotificationStep(
                    notice=notice,
                    index=index,
                    number=len(self.told),
                    episode=episode,
                    facts=facts,
                    to=to,
                )
        digest_at = self._digest_at(occasion, memory)
        return (
            WaitStep(until=min(step.until, digest_at))
            if isinstance(step, WaitStep) and digest_at
            else step
        )

    def _digest_at(self, occasion: Occasion, memory: CaseSnapshot) -> datetime | None:
        """When what is untold will be told; None where nothing is."""
        done = [
            _done(index, memory)
            for index, notice in enumerate(self._plan.notices)
            if isinstance(notice, Notify)
        ]
        untold = (one for one in done if one and one[-1].episode != _extent(memory))
        return min(map(_digest_at, untold), default=None) if occasion is Occasion.DONE else None


def _due(
    index: int, notice: Notice, occasion: Occasion, memory: CaseSnapshot, now: datetime
) -> Iterator[tuple[str, str | None]]:
    if not isinstance(notice, Notify):
        yield from _reporters(index, occasion, memory)
    elif occasion in notice.when:
        episode = _episode(occasion, memory)
        done = _done(index, memory) if occasion is Occasion.DONE else []
        if any(
            (one.index, one.occasion, one.episode) == (index, occasion, episode)
            for one in memory.told
        ):
            return  # it has been told
        if not done or now >= _digest_at(done) or memory.state is CaseState.CLOSED:
            yield episode, None


def _reporters(index: int, occasion: Occasion, memory: CaseSnapshot) -> Iterator[tuple[str, str]]:
    if occasion is Occasion.DONE:
        told = {one.episode for one in memory.told if one.index == index}
        yield from (
            (f"reporter {number}", to)
            for number, to in enumerate(memory.reporters)
            if f"reporter {number}" not in told
        )


def _episode(occasion: Occasion, memory: CaseSnapshot) -> str:
    match occasion:
        case Occasion.DONE:
            return _extent(memory)
        case Occasion.HELD:
            return f"since {memory.held_at:%FT%TZ}{', a last time' if memory.warned else ''}"
        case _:
            return "ended"


def _extent(memory: CaseSnapshot) -> str:
    """How much has been done and has come: another value means that there is news."""
    return f"{sum(map(len, memory.outcomes))} outcomes of {len(memory.events)} events"


def _done(index: int, memory: CaseSnapshot) -> list[Delivery]:
    return [one for one in memory.told if (one.index, one.occasion) == (index, Occasion.DONE)]


def _digest_at(done: list[Delivery]) -> datetime:
    return done[-1].at + FIRST_DIGEST * (1 << min(len(done) - 1, 12))


def _facts(
    plan: CasePlan, memory: CaseSnapshot, occasion: Occasion, now: datetime, patience: timedelta
) -> NotificationContext:
    decision = memory.decision
    denied_by = (decision.by,) if decision and not decision.approved else ()
    return NotificationContext(
        case=plan.case_id,
        uid=memory.uid,
        rule=plan.rule,
        version=plan.version,
        title=plan.title,
        level=plan.level,
        mode=plan.mode,
        occasion=occasion,
        at=now,
        group=plan.group,
        deeds=tuple(
            ActionSummary(action=describe(action), outcomes=dict(Counter(done.values())))
            for action, done in zip(plan.actions, memory.outcomes, strict=False)
        ),
        messages=len(memory.targets),
        events=len(memory.events),
        reason=bounded(
            memory.held_for if occasion is Occasion.HELD else decision.reason if decision else ""
        ),
        decided_by=denied_by or tuple(dict.fromkeys(one.by for one in memory.approvals)),
        answer_by=memory.held_at + patience
        if memory.held_at and occasion is Occasion.HELD
        else None,
        first=next(iter(memory.targets.values()), None),
    )
