"""What each order of a person comes to in a case, and why a case does not take it."""

from datetime import datetime

from clawback.cases.case import Case
from clawback.cases.notes import AssignTo
from clawback.cases.state import Decision
from clawback.model.orders import Order, Verb


def order_problem(case: Case, order: Order) -> str | None:
    """Say why a case does not take an order now; None if it does."""
    match order.verb:
        case Verb.APPROVE:
            return case.approval_problem(order.actor.identity, order.content)
        case Verb.DENY:
            return case.denial_problem(order.content)
        case Verb.COMMENT:
            return case.comment_problem(order.content)
        case Verb.ASSIGN:
            return case.assignment_problem(AssignTo.parse(order.content))
    return f"a case cannot {order.verb}"


def carry_out_order(case: Case, order: Order, now: datetime) -> str:
    """Carry out an order that the case takes; return the answer."""
    match order.verb:
        case Verb.COMMENT:
            return str(case.comment(order.actor, order.content, now))
        case Verb.ASSIGN:
            return case.assign(order.actor, AssignTo.parse(order.content) or AssignTo(), now)
    case.decide(Decision.of(order, now))
    return case.state
