"""Which notifications a case sends, and when. Pure: it reads the plan and the case's snapshot.

A case notifies after its actions, once per occasion. Late arrivals are reported in digests at
doubling intervals, so a campaign of any length sends few notifications. Whatever is unreported when
the case closes goes out then.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from clawback.actions import Action, NotificationAction, Occasion
from clawback.actions.outcomes import TOOK_EFFECT, is_failed
from clawback.cases.plan import CasePlan, Match
from clawback.cases.proposal import Proposal
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
from clawback.cases.timing import CaseTiming
from clawback.model.notations import canonical_address
from clawback.model.texts import bounded

FIRST_DIGEST = timedelta(minutes=10)
"""Minimum time between the first `done` notification and the next; it doubles with each digest."""
MAX_REPORTERS = 200
"""Reporters notified per case. Beyond that, a person should answer."""
_MAX_DOUBLINGS = 12
_MOST_CLAUSES = 4
_MOST_PROPOSED = 5
_REPORTS = frozenset({Occasion.DONE, Occasion.FAILED})
"""The occasions that report what a case has done so far; late arrivals repeat them."""
_OCCASIONS = {
    CaseState.HELD: Occasion.HELD,
    CaseState.SETTLED: Occasion.DONE,
    CaseState.DENIED: Occasion.DENIED,
    CaseState.EXPIRED: Occasion.EXPIRED,
}


class CaseNotifications:
    """The deliveries of one case: what was sent, and what is due."""

    def __init__(self, plan: CasePlan, timing: CaseTiming, snapshot: CaseSnapshot) -> None:
        self._plan = plan
        self._timeout = timing.approval_timeout
        self.deliveries = list(snapshot.notifications)
        self.reporters = list(snapshot.reporters)

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {"notifications": tuple(self.deliveries), "reporters": tuple(self.reporters)}

    def add_reporter(self, match: Match) -> None:
        """Remember who reported this event. Addresses are compared without case."""
        known = {canonical_address(reporter) for reporter in self.reporters}
        if (
            match.reporter
            and canonical_address(match.reporter) not in known
            and len(self.reporters) < MAX_REPORTERS
        ):
            self.reporters.append(match.reporter)

    def begin(self, step: NotificationStep, now: datetime, outcome: str = "") -> None:
        """Record that a notification was started. It is never started again."""
        self.deliveries.append(
            Delivery(
                index=step.index,
                occasion=Occasion(step.context.occasion),
                episode=step.episode,
                at=now,
                outcome=outcome,
            )
        )

    def end(self, number: int, outcome: str) -> NotificationAction | None:
        """Record the outcome of delivery `number`. Returns its action, None if it is unknown."""
        if number >= len(self.deliveries):
            return None

        delivery = self.deliveries[number].model_copy(update={"outcome": outcome})
        self.deliveries[number] = delivery
        return self._plan.notifications[delivery.index]

    def due_before(
        self,
        step: Step,
        snapshot: CaseSnapshot,
        state: CaseState,
        now: datetime,
        propose: Callable[[], Proposal],
    ) -> Step:
        """Return the notification to send before `step`, or `step` if none is due.

        Actions always come first. A wait is shortened to end when the next digest is due.

        Args:
            step: what the case does next, notifications aside.
            snapshot: the case now.
            state: the state to report; for a closed case, the one it closed from.
            now: the current time.
            propose: says what a held case would do if it were approved.

        """
        occasion = _OCCASIONS.get(state)
        if isinstance(step, ActionStep) or occasion is None:
            return step

        for index, action in enumerate(self._plan.notifications):
            due = self._occasion_for(action, occasion, snapshot)
            for episode, reporter in self._due_episodes(index, due, snapshot, now):
                context = _build_context(self._plan, snapshot, due, now, self._timeout)
                if due is Occasion.HELD:
                    context = context.model_copy(update=_describe_proposal(propose()))
                is_late = bool(_reports(index, snapshot))
                return NotificationStep(
                    action=action,
                    index=index,
                    number=len(self.deliveries),
                    episode=episode,
                    context=context.model_copy(update={"is_late": is_late}),
                    reporter=reporter,
                )

        digest_at = self._next_digest_at(snapshot) if occasion in _REPORTS else None
        if isinstance(step, WaitStep) and digest_at:
            return WaitStep(until=min(step.until, digest_at))

        return step

    def _next_digest_at(self, snapshot: CaseSnapshot) -> datetime | None:
        """When the earliest pending digest is due; None if everything was reported."""
        stale = (
            sent
            for index, action in enumerate(self._plan.notifications)
            if not action.is_for_reporters
            and (sent := _reports(index, snapshot))
            and sent[-1].episode != self._report_episode(action, snapshot)
        )
        return min(map(_digest_at, stale), default=None)

    def _occasion_for(
        self, action: NotificationAction, occasion: Occasion, snapshot: CaseSnapshot
    ) -> Occasion:
        """Say what the state means to an action: an action that failed is told as such, once."""
        is_failure = occasion is Occasion.DONE and self._count_failures(snapshot) > 0
        return Occasion.FAILED if is_failure and action.is_due_on(Occasion.FAILED) else occasion

    def _due_episodes(
        self, index: int, occasion: Occasion, snapshot: CaseSnapshot, now: datetime
    ) -> Iterator[tuple[str, str | None]]:
        """Yield (episode, reporter) for each delivery of an action that is due now."""
        action = self._plan.notifications[index]
        if action.is_for_reporters:
            yield from _unnotified_reporters(index, occasion, snapshot)
            return
        if not action.is_due_on(occasion):
            return

        is_report = occasion in _REPORTS
        episode = (
            self._report_episode(action, snapshot) if is_report else _episode(occasion, snapshot)
        )
        known = (one for one in snapshot.notifications if one.index == index)
        if any(one.episode == episode and (is_report or one.occasion is occasion) for one in known):
            return

        sent = _reports(index, snapshot) if is_report else []
        if not sent or now >= _digest_at(sent) or snapshot.state is CaseState.CLOSED:
            yield episode, None

    def _report_episode(self, action: NotificationAction, snapshot: CaseSnapshot) -> str:
        """Identify how far the case has come: a new value means there is something to report."""
        if not action.is_due_on(Occasion.DONE):
            return f"{self._count_failures(snapshot)} failed"
        return f"{sum(map(len, snapshot.outcomes))} outcomes of {len(snapshot.events)} events"

    def _count_failures(self, snapshot: CaseSnapshot) -> int:
        """Count what failed of the response itself."""
        response = snapshot.outcomes[: len(self._plan.actions)]
        return sum(is_failed(outcome) for outcomes in response for outcome in outcomes.values())


def _unnotified_reporters(
    index: int, occasion: Occasion, snapshot: CaseSnapshot
) -> Iterator[tuple[str, str]]:
    if occasion is not Occasion.DONE:
        return

    sent = {one.episode for one in snapshot.notifications if one.index == index}
    for number, reporter in enumerate(snapshot.reporters):
        episode = f"reporter {number}"
        if episode not in sent:
            yield episode, reporter


def _count_moved_while_held(plan: CasePlan, snapshot: CaseSnapshot) -> int:
    beside = snapshot.outcomes[len(plan.actions) :]
    return sum(outcome in TOOK_EFFECT for outcome in beside[0].values()) if beside else 0


def _episode(occasion: Occasion, snapshot: CaseSnapshot) -> str:
    if occasion is not Occasion.HELD:
        return "ended"
    return f"held {snapshot.held_at:%FT%TZ}{', reminder' if snapshot.expiry_warned else ''}"


def _reports(index: int, snapshot: CaseSnapshot) -> list[Delivery]:
    return [
        delivery
        for delivery in snapshot.notifications
        if delivery.index == index and delivery.occasion in _REPORTS
    ]


def _digest_at(sent: list[Delivery]) -> datetime:
    return sent[-1].at + FIRST_DIGEST * (1 << min(len(sent) - 1, _MAX_DOUBLINGS))


def _describe_elsewhere(action: Action, outcomes: Mapping[str, str], snapshot: CaseSnapshot) -> str:
    elsewhere = "; ".join(action.describe_elsewhere(snapshot.touched(outcomes)))
    return f" ({elsewhere})" if elsewhere else ""


def _describe_proposal(proposal: Proposal) -> dict[str, Any]:
    actions = tuple(map(bounded, proposal.actions[:_MOST_PROPOSED]))
    if (more := len(proposal.actions) - len(actions)) > 0:
        actions = (*actions, f"{more} more")
    return {"proposes": actions, "approvers": proposal.needs}


def _count_mailboxes(snapshot: CaseSnapshot) -> int:
    mailboxes = (target.mailbox for target in snapshot.targets.values())
    return len({canonical_address(mailbox) for mailbox in mailboxes if mailbox})


def _build_context(
    plan: CasePlan,
    snapshot: CaseSnapshot,
    occasion: Occasion,
    now: datetime,
    timeout: timedelta,
) -> NotificationContext:
    is_held = occasion is Occasion.HELD
    decision = snapshot.decision
    denied_by = (decision.actor.label,) if decision and not decision.approved else ()
    actions = tuple(
        ActionSummary(
            action=described + _describe_elsewhere(plan.all_actions[index], outcomes, snapshot),
            outcomes=dict(Counter(outcomes.values())),
        )
        for index, (described, outcomes) in enumerate(
            zip(plan.descriptions, snapshot.outcomes, strict=False)
        )
        # What happens only while a case is held is no part of what it has done in the end.
        if index < len(plan.actions) or (outcomes and occasion not in _REPORTS)
    )

    return NotificationContext(
        case=plan.case_id,
        uid=snapshot.uid,
        rule=plan.rule,
        version=plan.version,
        title=plan.title,
        level=plan.level,
        mode=plan.mode,
        occasion=occasion,
        at=now,
        group=plan.group,
        actions=actions,
        messages=len(snapshot.targets),
        mailboxes=_count_mailboxes(snapshot),
        events=len(snapshot.events),
        why=tuple(map(bounded, snapshot.match_reasons[:_MOST_CLAUSES])),
        moved_while_held=_count_moved_while_held(plan, snapshot),
        reason=bounded(snapshot.hold_reason if is_held else decision.reason if decision else ""),
        decided_by=denied_by or tuple(dict.fromkeys(one.actor.label for one in snapshot.approvals)),
        answer_by=snapshot.held_at + timeout if snapshot.held_at and is_held else None,
        first=next(iter(snapshot.targets.values()), None),
    )
