"""Shows in the lists what a person has just done, before the index says so."""

from dataclasses import replace
from typing import Final

from clawback.cases import CaseState
from clawback.cases.summary import DecisionNote
from clawback.console.access.who import Visitor
from clawback.console.services import Services
from clawback.console.sources.read_model import ListedCase
from clawback.model.orders import Verb

PAST: Final = {Verb.APPROVE: "approved", Verb.DENY: "denied"}


def show_decision(  # noqa: PLR0913, PLR0917 - what was decided
    services: Services,
    case: ListedCase | None,
    verb: Verb,
    state: str,
    visitor: Visitor,
    reason: str,
) -> None:
    """Show that a case was approved or denied, and what state it answered with."""
    if case is None or not state:
        return
    if state == CaseState.HELD:
        # A form that is sent again gets the first answer, and is still one approval.
        approvals = min(case.approvals + 1, max(case.needs - 1, 1))
        services.read_model.overlay(replace(case, approvals=approvals))
        return
    note = DecisionNote.of(PAST[verb], [visitor.actor], services.now(), reason)
    services.read_model.overlay(
        replace(case, state=state, hold_cause=None, deadline=None, decision=note)
    )


def show_assignment(
    services: Services, case: ListedCase | None, name: str, visitor: Visitor
) -> None:
    """Show who works on a case; nobody, if the name is empty."""
    if case is not None:
        own = visitor.identity.id if name else ""
        services.read_model.overlay(replace(case, assignee=name, assignee_id=own))
