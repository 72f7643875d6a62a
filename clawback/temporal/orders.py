"""Signs the orders that gateways send to workflows."""

import hashlib
from datetime import UTC, datetime
from uuid import uuid4

from temporalio.client import Client

from clawback.model.identity import Actor
from clawback.model.orders import Order, SignedOrder, Verb
from clawback.model.texts import bounded
from clawback.temporal.data_converter import order_keys


def new_nonce() -> str:
    """Return a nonce that nobody can guess."""
    return uuid4().hex


def repeatable_nonce(key: str, verb: Verb, about: str, actor: Actor) -> str:
    """Return the nonce of an order that its sender may repeat under the same key.

    The same key of another person, or for another case, makes another nonce.
    """
    parts = (key, verb.value, about, *actor.identity.person)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def sign_order(  # noqa: PLR0913 - what an order consists of
    client: Client,
    verb: Verb,
    workflow: str,
    actor: Actor,
    *,
    reason: str = "",
    content: str = "",
    nonce: str | None = None,
) -> SignedOrder:
    """Sign an order with the keys of a client; without keys it stays unsigned.

    Orders to several workflows with the same `nonce` are one decision.
    """
    order = Order(
        verb=verb,
        workflow=workflow,
        content=content,
        actor=actor,
        reason=bounded(reason),
        at=datetime.now(UTC),
        nonce=nonce or new_nonce(),
    )
    return order_keys(client.data_converter.payload_codec).sign(order)
