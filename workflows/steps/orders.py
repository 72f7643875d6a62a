"""Takes signed orders: each is checked, verified by an activity, and counts once."""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.identity import IdentityActivities, VerifiedOrder, VerifyOrder
    from clawback.model.orders import Order, OrderLog, SignedOrder, Verb
    from workflows.options import VERIFY_ORDER
    from workflows.validators import require_no_problem


def require_order(
    signed: SignedOrder, verb: Verb, log: OrderLog, now: datetime | None = None
) -> Order:
    """Return an order that this workflow can take; its signature is not verified yet.

    `now` is when the order arrived, if it is not arriving now.

    Raises:
        ApplicationError: it is for something else, has expired, or was counted already.

    """
    order = signed.order
    if order is None:
        raise ApplicationError("the order cannot be read")

    now = now or workflow.now()
    require_no_problem(order.problem(verb, workflow.info().workflow_id, now))
    require_no_problem(log.problem(order, now))
    return order


async def take_order(
    signed: SignedOrder,
    verb: Verb,
    log: OrderLog,
    people: int = 1,
    now: datetime | None = None,
) -> Order:
    """Verify an order and count it. Check again afterwards what may have changed meanwhile.

    Raises:
        ApplicationError: the signature is not ours, whoever gave it may not, or it was counted.

    """
    verified: VerifiedOrder = await workflow.execute_local_activity_method(
        IdentityActivities.verify_order, VerifyOrder(signed=signed, people=people), **VERIFY_ORDER
    )
    require_no_problem(verified.problem)

    # The same order may have come twice, and been verified twice at the same time.
    order = require_order(signed, verb, log, now)
    log.add(order, workflow.now())
    return order.model_copy(update={"actor": verified.actor or order.actor})
