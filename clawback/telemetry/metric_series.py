"""Starts the series of every label set that is known, so that `increase()` sees the first event.

A counter that appears with its first event has no value before it: Prometheus then finds no
increase. Enums are known when this is imported; rules, channels and names of Temporal are told.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

from clawback.actions import BudgetKind, BulkMove, Move, Reclassify, Release, registry
from clawback.actions.base import BaseAction, ContainmentAction
from clawback.actions.outcomes import (
    ALREADY_THERE,
    GONE,
    MOVED,
    RECLASSIFIED,
    RELEASED,
    UNKNOWN,
    WOULD,
    is_failed,
)
from clawback.actions.policy import PolicyAction
from clawback.cases.hold_cause import HoldCause
from clawback.cloudflare.operation_catalogue import OPERATIONS
from clawback.guard import LossReason
from clawback.ingest.ingest import OWN_SUBMISSION
from clawback.model.audit_record import RecordKind
from clawback.model.events import EventKind
from clawback.model.intermediary import Intermediary
from clawback.model.level import Level
from clawback.model.mode import Mode
from clawback.model.reconciliation import PolicyState
from clawback.model.refusal import Refusal
from clawback.rules import Rule, RuleSet
from clawback.rules.eligibility import Ineligibility
from clawback.telemetry import metrics
from clawback.telemetry.worker_health import StuckReason

FAILED: Final = "failed"
NOTIFIED: Final = "notified"
_DECISIONS: Final = ("denied", "expired", "cancelled")
"""Reasons of an outcome that people chose: nothing failed."""
_WITHHELD: Final = "withheld"
"""The guard refused what would have happened beside the response."""
_OUTCOMES: Final = (FAILED, GONE, UNKNOWN, ALREADY_THERE, WOULD, _WITHHELD, *_DECISIONS)
_STATUSES: Final = ("200", "401", "403", "429")
"""The statuses that alerts are about."""
_BY_SOURCE: Final = (
    metrics.EVENTS_SEEN,
    metrics.EVENTS_REJECTED,
    metrics.EVENTS_UNJOINED,
    metrics.MATCHES_SET_ASIDE,
    metrics.MATCHES_UNSENT,
    metrics.POLL_PAUSED,
)
_channels = {"reporters"}


def outcome_label(outcome: str) -> str:
    """Return the label of an outcome, without its reason, which may quote the API.

    What people denied, let expire or cancelled, and what the guard withheld, has not failed.
    """
    word, _, reason = outcome.partition(":")
    if not is_failed(outcome):
        return word
    if reason in _DECISIONS:
        return reason
    return _WITHHELD if reason in set(HoldCause) else FAILED


def channel_label(channel: str) -> str:
    """Return the label of a channel; one that the operator has not named now is `other`."""
    return channel if channel in _channels else "other"


def initialise_channels(channels: Iterable[str]) -> None:
    """Start the series of the channels that the operator has named."""
    for channel in channels:
        _channels.add(channel)
        metrics.CHANNEL_FAILING.labels(channel)
        for outcome in (NOTIFIED, FAILED):
            metrics.NOTIFICATIONS.labels(channel, outcome)


def initialise_rules(rules: RuleSet) -> None:
    """Start the series of the rules that are loaded; call it with every new set."""
    for rule in rules.rules.values():
        metrics.MATCHES.labels(rule.name)
        metrics.ACTIONS_UNDONE.labels(rule.name)
        metrics.RULE_DEMOTED.labels(rule.name)
        for budget in _budgets_of(rule):
            metrics.GUARD_RESERVE_GRANTS.labels(rule.name, budget.value)
            for cause in _causes_of(rule, budget):
                metrics.GUARD_REFUSALS.labels(
                    rule.name, rule.level.value, budget.value, cause.value
                )


def initialise_names(activities: Iterable[str], workflow_types: Iterable[str]) -> None:
    """Start the series of the activities and workflows that this process runs."""
    for activity in activities:
        metrics.ACTIVITY_FAILURES.labels(activity)
        metrics.ACTIVITY_RETRIES.labels(activity)
    for workflow_type in workflow_types:
        metrics.WORKFLOW_TASK_FAILURES.labels(workflow_type)


def _budgets_of(rule: Rule) -> set[BudgetKind]:
    """The budgets that the actions of a rule may spend."""
    if rule.response is None:
        return set()
    kinds = {one.budget for one in rule.response.actions if isinstance(one, ContainmentAction)}
    return kinds | ({BudgetKind.HELD_MESSAGES} if rule.response.while_held else set())


def _causes_of(rule: Rule, budget: BudgetKind) -> Iterator[HoldCause]:
    """Why the guard may refuse a rule something of a budget."""
    limits = rule.response.limits if rule.response else ()
    has_own = any(limit.kind is budget for limit in limits)
    yield HoldCause.RULE_LIMIT if has_own else HoldCause.RULE_BUDGET
    yield from (HoldCause.SHARE, HoldCause.DEMOTED)
    if budget is BudgetKind.MESSAGES:
        yield from (HoldCause.SURGE, HoldCause.CAMPAIGN)


def _effect_of(action: type[BaseAction]) -> Iterator[str]:
    """Name the outcome of an action that did what it is for."""
    if issubclass(action, PolicyAction):
        yield action.created_outcome
    elif issubclass(action, Move | BulkMove):
        yield MOVED
    elif issubclass(action, Release):
        yield RELEASED
    elif issubclass(action, Reclassify):
        yield RECLASSIFIED
    else:
        yield NOTIFIED


def _initialise_enums() -> None:
    for source in EventKind:
        for metric in _BY_SOURCE:
            metric.labels(source.value)
        for why in (*Ineligibility, OWN_SUBMISSION):
            metrics.EVENTS_SKIPPED.labels(source.value, str(why))

    for name, action in registry.ACTIONS.items():
        for outcome, mode in product((*_OUTCOMES, *_effect_of(action)), Mode):
            metrics.ACTIONS.labels(name, outcome, mode.value)
    for mode in Mode:
        metrics.CONTAINMENT_DURATION.labels(mode.value)
    for endpoint, status in product({one.endpoint for one in OPERATIONS}, _STATUSES):
        metrics.API_REQUESTS.labels(endpoint, status)

    for metric, values in (
        (metrics.AUDIT_RECORDS, [kind.value for kind in RecordKind]),
        (metrics.POLICIES, [state.value for state in PolicyState]),
        (metrics.API_INTERMEDIARIES, [kind.value for kind in Intermediary]),
        (metrics.API_PAGING_TROUBLES, ["split", "unseen"]),
        (metrics.WORKER_STUCK, [reason.value for reason in StuckReason]),
        (metrics.PAYLOADS_REFUSED, [refusal.label for refusal in Refusal]),
        (metrics.GUARD_LOSSES, [loss.value for loss in LossReason]),
        (metrics.CASES_HELD, [level.value for level in Level]),
    ):
        for value in values:
            metric.labels(value)


_initialise_enums()
