"""The activity that verifies signed orders."""

from collections.abc import Callable

from temporalio import activity

from clawback.identity.order_signing import OrderKeys
from clawback.identity.permission import Policy, refusal
from clawback.model.identity import Actor
from clawback.model.orders import SignedOrder
from clawback.model.payload import Payload


class VerifyOrder(Payload):
    """An order to verify. `people` must agree before it takes effect."""

    signed: SignedOrder
    people: int = 1


class VerifiedOrder(Payload):
    """Why an order does not count, or who gave it, as far as that is known."""

    problem: str | None = None
    actor: Actor | None = None


class IdentityActivities:
    """Verifies orders. Runs as a local activity: it only computes.

    Workflows hold no key, so they cannot do it themselves.
    """

    def __init__(self, keys: OrderKeys, policy: Callable[[], Policy]) -> None:
        self._keys, self._policy = keys, policy

    @activity.defn(name="identity.verify_order")
    async def verify_order(self, request: VerifyOrder) -> VerifiedOrder:
        """Verify the signature of an order, and that whoever gave it may do so."""
        order = request.signed.order
        if order is None:
            return VerifiedOrder(problem="the order cannot be read")
        if (problem := self._keys.problem(request.signed)) is not None:
            return VerifiedOrder(problem=problem)

        actor = order.actor
        if not self._keys:
            # Anybody can write this into an order that nobody signs.
            unverified = actor.identity.model_copy(update={"is_verified": False})
            actor = actor.model_copy(update={"identity": unverified})

        problem = refusal(
            actor.identity,
            order.verb.role,
            self._policy(),
            to=order.verb,
            people=request.people,
            in_person=order.verb.needs_person,
        )
        return VerifiedOrder(problem=problem, actor=actor)
