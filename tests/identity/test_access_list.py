"""API tokens and revoked sessions, without a server."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from clawback.identity.access_list import (
    LONGEST_SESSION,
    LONGEST_VALIDITY,
    MOST_REVOCATIONS,
    MOST_TOKENS,
    PREFIX,
    AccessList,
    AccessSnapshot,
    EndedSession,
    NewToken,
    create_secret,
    find_token,
    hash_session,
)
from clawback.identity.permission import Policy, refusal
from clawback.model.identity import IdentitySource, Role
from clawback.model.orders import Order, Verb
from clawback.model.size import PAYLOAD_LIMIT, payload_size
from tests.people import person

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def order(content: str, verb: Verb = Verb.CREATE_TOKEN) -> Order:
    """Build an order of an operator."""
    return Order(
        verb=verb, workflow="access", content=content, actor=person("ana"), at=NOW, nonce="n" * 32
    )


def create(access: AccessList, name: str = "ci", validity: timedelta = HOUR) -> tuple[str, str]:
    """Create a token; its secret and its id."""
    secret, token = create_secret(Role.ANALYST, name, validity, NOW)
    given = order(token.model_dump_json())
    assert access.creation_problem(given, NOW) is None
    return secret, access.create(given, NOW).id


def revoke_session(access: AccessList, session: str) -> None:
    ended = EndedSession(session=hash_session(session), until=NOW + HOUR)
    access.revoke_session(order(ended.model_dump_json(), Verb.SIGN_OUT), NOW)


def test_a_token_opens_what_its_role_may_until_it_expires() -> None:
    """The identity is that of a machine."""
    access = AccessList(AccessSnapshot())
    secret, token_id = create(access)
    found = find_token(access.snapshot(), secret, NOW)
    assert secret.startswith(PREFIX)
    assert found is not None
    assert found.identity.source is IdentitySource.TOKEN
    assert (found.identity.subject, found.identity.label) == (token_id, "token ci")
    assert found.identity.roles == (Role.ANALYST,)
    assert find_token(access.snapshot(), secret, NOW + HOUR) is None


def test_the_secret_is_nowhere_in_what_is_kept() -> None:
    """Not even a part of it."""
    access = AccessList(AccessSnapshot())
    secret, _ = create(access)
    assert secret.removeprefix(PREFIX)[:10] not in access.snapshot().model_dump_json()


def test_a_revoked_token_opens_nothing_and_is_revoked_once() -> None:
    """The second attempt names who was first."""
    access = AccessList(AccessSnapshot())
    secret, token_id = create(access)
    access.revoke(order(token_id, Verb.REVOKE_TOKEN), NOW)
    assert find_token(access.snapshot(), secret, NOW) is None
    assert "ana revoked the token" in str(access.revocation_problem(token_id, NOW))
    assert "there is no token 'ffffffff'" in str(access.revocation_problem("ffffffff", NOW))


@pytest.mark.parametrize("validity", [-HOUR, timedelta(), LONGEST_VALIDITY + HOUR])
def test_a_token_ends_within_a_year(validity: timedelta) -> None:
    """Whoever signs the order."""
    _, token = create_secret(Role.VIEWER, "", validity, NOW)
    problem = AccessList(AccessSnapshot()).creation_problem(order(token.model_dump_json()), NOW)
    assert "at most 365d" in str(problem)


def test_an_order_must_describe_a_token() -> None:
    """Anything else is refused, and so is an id that is taken."""
    access = AccessList(AccessSnapshot())
    assert access.creation_problem(order("{}"), NOW) == "the order does not describe a token"
    _, token = create_secret(Role.VIEWER, "", HOUR, NOW)
    access.create(order(token.model_dump_json()), NOW)
    assert "already" in str(access.creation_problem(order(token.model_dump_json()), NOW))


def test_the_list_is_bounded_in_number_and_bytes() -> None:
    """Two hundred tokens with the longest names, and five thousand sessions."""
    access = AccessList(AccessSnapshot())
    ids = [create(access, "🐟" * 25)[1] for _ in range(MOST_TOKENS)]
    _, another = create_secret(Role.VIEWER, "", HOUR, NOW)
    given = order(another.model_dump_json())
    assert "200 tokens are valid" in str(access.creation_problem(given, NOW))

    access.revoke(order(ids[0], Verb.REVOKE_TOKEN), NOW)
    access.create(given, NOW)
    assert len(access.snapshot().tokens) == MOST_TOKENS
    assert ids[0] not in {token.id for token in access.snapshot().tokens}

    sessions = {hash_session(uuid4().hex): NOW + HOUR for _ in range(MOST_REVOCATIONS)}
    full = AccessList(access.snapshot().model_copy(update={"sessions": sessions}))
    ended = EndedSession(session=hash_session("x"), until=NOW + HOUR).model_dump_json()
    assert "5000 sessions were revoked" in str(full.session_problem(ended, NOW))
    assert full.session_problem(ended, NOW + HOUR - timedelta(seconds=1)) is not None
    assert payload_size(full.snapshot()) < PAYLOAD_LIMIT / 2


def test_a_revocation_is_kept_until_the_session_would_have_ended() -> None:
    """Then there is room for others."""
    access = AccessList(AccessSnapshot())
    revoke_session(access, "one")
    revoke_session(access, "one")
    assert set(access.snapshot().sessions) == {hash_session("one")}

    ended = EndedSession(session=hash_session("two"), until=NOW + 3 * HOUR)
    access.revoke_session(order(ended.model_dump_json()), NOW + 2 * HOUR)
    assert set(access.snapshot().sessions) == {hash_session("two")}


def test_no_revocation_is_kept_for_ever() -> None:
    """A session lasts a day at most."""
    until = NOW + LONGEST_SESSION + HOUR
    ended = EndedSession(session=hash_session("x"), until=until).model_dump_json()
    problem = AccessList(AccessSnapshot()).session_problem(ended, NOW)
    assert problem == "the order does not name a session"


@pytest.mark.parametrize("verb", Verb)
def test_a_token_is_never_the_second_of_two_people(verb: Verb) -> None:
    """Alone it may do what its role may, but what only people do."""
    _, token = create_secret(Role.OPERATOR, "ci", HOUR, NOW)
    access = AccessList(AccessSnapshot())
    identity = access.create(order(token.model_dump_json()), NOW).identity
    policy = Policy(has_provider=True, allows_unverified=True)

    def ask(people: int) -> str | None:
        in_person = verb.needs_person
        return refusal(identity, verb.role, policy, to=verb, people=people, in_person=in_person)

    assert "needs 2 people, and token ci is none" in str(ask(2))
    assert (ask(1) is None) is (not verb.needs_person)


def test_names_of_tokens_are_bounded_and_printable() -> None:
    """They go into the audit and on terminals."""
    _, token = create_secret(Role.VIEWER, "\x1b[31m" + "x" * 300, HOUR, NOW)
    assert isinstance(token, NewToken)
    assert token.name.isprintable()
    assert len(token.name.encode()) <= 100
