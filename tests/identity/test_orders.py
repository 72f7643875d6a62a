"""Signed orders, as far as no workflow is needed: what they are for, how long, and how often."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.identity.order_signing import OrderKeys, derive_signing_key
from clawback.model.identity import Role
from clawback.model.orders import MAX_AGE, MAX_SKEW, Order, OrderLog, SignedOrder, Verb
from clawback.temporal.key_ring import Key
from tests.people import person

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CASE = "case/r/0123456789abcdef"
SECOND = timedelta(seconds=1)
OLD, NEW = Key.generate(), Key.generate()


def keys(*ring: Key) -> OrderKeys:
    """The signing keys of a ring."""
    return OrderKeys({key.id: derive_signing_key(key.secret) for key in ring})


def order(verb: Verb = Verb.APPROVE, at: datetime = NOW, nonce: str = "n" * 32) -> Order:
    """An approval of a case."""
    return Order(verb=verb, workflow=CASE, content="2-abc", actor=person("ana"), at=at, nonce=nonce)


def test_a_signature_of_the_ring_counts() -> None:
    """Also one under an older key, while that is still in the ring."""
    for ring in ((OLD,), (NEW, OLD)):
        assert keys(NEW, OLD).problem(keys(*ring).sign(order())) is None


def test_a_signature_of_another_key_does_not_count() -> None:
    """Whether its id is known or not."""
    signed = keys(OLD).sign(order())
    assert "which the workers do not have" in (keys(NEW).problem(signed) or "")
    stolen = signed.model_copy(update={"key": NEW.id})
    assert keys(NEW).problem(stolen) == "the signature of the order is wrong"


def test_an_unsigned_order_counts_only_where_nobody_has_a_key() -> None:
    """An installation without encryption cannot tell who wrote it."""
    unsigned = keys().sign(order())
    assert keys().problem(unsigned) is None
    assert "is not signed" in (keys(NEW).problem(unsigned) or "")


@given(st.integers(min_value=0), st.characters(codec="ascii", categories=("L", "N", "P")))
def test_no_character_of_a_signed_order_can_be_changed(place: int, char: str) -> None:
    """Not who, not what, not when."""
    signed = keys(NEW).sign(order())
    place %= len(signed.text)
    text = signed.text[:place] + char + signed.text[place + 1 :]
    forged = signed.model_copy(update={"text": text})
    assert (keys(NEW).problem(forged) is None) is (text == signed.text)


def test_the_signing_key_is_not_the_key_that_encrypts() -> None:
    """So that one use of a key says nothing about the other."""
    assert derive_signing_key(NEW.secret) != NEW.secret
    assert derive_signing_key(NEW.secret) != derive_signing_key(OLD.secret)


@pytest.mark.parametrize(
    ("given_at", "problem"),
    [
        (NOW, None),
        (NOW - MAX_AGE, None),
        (NOW - MAX_AGE - SECOND, "has expired"),
        (NOW + MAX_SKEW, None),
        (NOW + MAX_SKEW + SECOND, "in the future"),
    ],
    ids=["now", "oldest", "expired", "clock ahead", "future"],
)
def test_an_order_counts_for_a_while(given_at: datetime, problem: str | None) -> None:
    """Both limits allow for clocks that differ."""
    found = order(at=given_at).problem(Verb.APPROVE, CASE, NOW)
    assert (found is None) if problem is None else (problem in (found or ""))


def test_an_order_is_for_one_workflow_and_one_verb() -> None:
    """An approval of one case is none of another, and no denial."""
    assert "is for case/r/" in (order().problem(Verb.APPROVE, "case/r/other", NOW) or "")
    assert "is to approve, not to deny" in (order().problem(Verb.DENY, CASE, NOW) or "")


def test_an_order_counts_once() -> None:
    """Also in the run that follows, and for as long as a copy would be taken."""
    log = OrderLog()
    assert log.problem(order(), NOW) is None
    log.add(order(), NOW)
    later = NOW + MAX_AGE
    assert "counted already" in (OrderLog(log.counted).problem(order(), later) or "")


def test_expired_orders_are_forgotten_and_fresh_ones_bounded() -> None:
    """A copy of a forgotten one has expired itself."""
    log = OrderLog()
    for number in range(200):
        log.add(order(nonce=f"{number:032}"), NOW)
    assert "wait" in (log.problem(order(), NOW) or "")
    after = NOW + MAX_AGE + SECOND
    assert log.problem(order(at=after), after) is None
    log.add(order(at=after), after)
    assert list(log.counted) == [order().nonce]


def test_what_is_no_order_is_read_as_none() -> None:
    """Whatever a client sends."""
    for text in ("", "{}", "[]", '{"verb": "rule"}'):
        assert SignedOrder(text=text).order is None


def test_every_verb_but_two_takes_a_role() -> None:
    """Stopping is safe, and must work while nobody can sign in; signing out concerns oneself."""
    roles = {verb: verb.role for verb in Verb}
    assert [verb for verb, role in roles.items() if role is None] == [Verb.STOP, Verb.SIGN_OUT]
    assert {verb for verb, role in roles.items() if role is Role.ANALYST} == {
        Verb.APPROVE,
        Verb.DENY,
        Verb.UNDO,
        Verb.ASSIGN,
        Verb.COMMENT,
    }
