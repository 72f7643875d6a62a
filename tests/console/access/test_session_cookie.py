"""Sessions in a cookie: what opens, what does not, and when a session ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawback.console.access.sealing import MAX_SEALED, Sealer, TooLargeToSeal, console_secrets
from clawback.console.access.session_cookie import (
    IDLE,
    LONGEST,
    LONGEST_LOCAL,
    RENEWED_AFTER,
    SKEW,
    Session,
    SessionCookie,
)
from clawback.model.identity import Identity, IdentitySource, Role
from clawback.temporal.key_ring import Key, KeyRing
from tests.people import person

NOW = datetime(2026, 11, 29, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ANA = person("ana", Role.VIEWER, verified=True).identity
BEN = person("ben", Role.VIEWER, verified=True).identity
RING = KeyRing([Key.generate()])


def cookie_of(ring: KeyRing | None = RING, *, is_secure: bool = True) -> SessionCookie:
    """The cookie of an installation with these keys."""
    return SessionCookie(console_secrets(ring), is_secure=is_secure)


def jar(cookie: SessionCookie, session: Session) -> dict[str, str]:
    """The cookies of a browser that got a session."""
    name, _, rest = cookie.write(session).partition("=")
    return {name: rest.partition(";")[0]}


def test_a_session_comes_back_as_it_went() -> None:
    """And nothing of it can be read in the cookie."""
    session = Session.begin(ANA, NOW, auth_time=NOW)
    cookies = jar(cookie_of(), session)
    assert cookie_of().read(cookies) == session
    assert "ana" not in cookies["__Host-clawback"]


def test_what_browsers_are_told_of_the_cookie() -> None:
    """On https with the prefix that ties it to this host; on this machine under another name."""
    session = Session.begin(ANA, NOW)
    name, _, rest = cookie_of().write(session).partition("=")
    assert (name, rest.partition("; ")[2]) == (
        "__Host-clawback",
        "Path=/; HttpOnly; SameSite=Strict; Secure",
    )
    name, _, rest = cookie_of(is_secure=False).write(session).partition("=")
    assert (name, rest.partition("; ")[2]) == (
        "clawback-console",
        "Path=/; HttpOnly; SameSite=Strict",
    )
    assert "Max-Age=0" in cookie_of().clear()


def test_a_changed_cookie_is_none() -> None:
    """Every single character counts, and so do rubbish and other installations."""
    cookie = cookie_of()
    (sealed,) = jar(cookie, Session.begin(ANA, NOW)).values()
    for place in range(len(sealed) - 1):
        other = "A" if sealed[place] != "A" else "B"
        changed = sealed[:place] + other + sealed[place + 1 :]
        assert cookie.read({cookie.name: changed}) is None
    for rubbish in ("", "x", sealed[:-2], "é", "A" * 5_000, "=" * 8, sealed + "!"):
        assert cookie.read({cookie.name: rubbish}) is None
    assert cookie_of(KeyRing([Key.generate()])).read({cookie.name: sealed}) is None
    assert cookie_of(None).read({cookie.name: sealed}) is None


def test_a_value_for_one_purpose_opens_for_no_other() -> None:
    """A browser cannot hand us what we sealed for a sign-in as its session."""
    secrets = console_secrets(RING)
    session = Session.begin(ANA, NOW).model_dump_json().encode()
    sealed = Sealer("sign-in", secrets).seal(session)
    assert Sealer("sign-in", secrets).open(sealed) == session
    cookie = cookie_of()
    assert cookie.read({cookie.name: sealed}) is None


def test_sessions_outlive_a_rotation_of_the_keys() -> None:
    """What the former key sealed opens until it leaves the ring; the current one seals."""
    former, current = Key.generate(), Key.generate()
    session = Session.begin(ANA, NOW)
    before = cookie_of(KeyRing([former]))
    during = cookie_of(KeyRing([former]).with_key(current).with_current(current.id))
    after = cookie_of(KeyRing([current]))

    assert during.read(jar(before, session)) == session
    assert after.read(jar(before, session)) is None
    assert after.read(jar(during, session)) == session


def test_a_session_ends_when_nothing_is_done_in_it() -> None:
    """Half an hour after the last time; a renewal begins another half hour."""
    session = Session.begin(ANA, NOW)
    assert session.is_open(NOW + IDLE - SECOND)
    assert not session.is_open(NOW + IDLE)
    later = session.renewed(NOW + IDLE - SECOND)
    assert later.is_open(NOW + IDLE + IDLE - 2 * SECOND)
    assert later.id == session.id


@pytest.mark.parametrize(
    ("identity", "longest"),
    [(ANA, LONGEST), (person("ana@host").identity, LONGEST_LOCAL)],
    ids=["provider", "local"],
)
def test_no_renewal_makes_a_session_longer_than_it_may_be(
    identity: Identity, longest: timedelta
) -> None:
    """Eight hours, and one on this machine alone."""
    session = Session.begin(identity, NOW).renewed(NOW + longest - SECOND)
    assert session.is_open(NOW + longest - SECOND)
    assert not session.is_open(NOW + longest)


def test_a_session_never_outlives_what_vouches_for_it() -> None:
    """An assertion of Cloudflare Access may end sooner."""
    session = Session.begin(ANA, NOW, ends_by=NOW + SECOND)
    assert not session.is_open(NOW + SECOND)


def test_a_session_of_the_future_is_not_open() -> None:
    """Clocks of replicas may differ by a minute, no more."""
    session = Session.begin(ANA, NOW)
    assert session.is_open(NOW - SKEW)
    assert not session.is_open(NOW - SKEW - SECOND)


def test_a_cookie_is_sent_again_at_most_once_a_minute() -> None:
    """It changes with every renewal."""
    session = Session.begin(ANA, NOW)
    assert not session.needs_renewal(NOW + RENEWED_AFTER - SECOND)
    assert session.needs_renewal(NOW + RENEWED_AFTER)
    assert not session.renewed(NOW + RENEWED_AFTER).needs_renewal(NOW + RENEWED_AFTER + SECOND)


def test_form_tokens_belong_to_one_session() -> None:
    """Each looks different, all count; those of another session and changed ones do not."""
    session, other = Session.begin(ANA, NOW), Session.begin(ANA, NOW)
    one, two = session.form_token, session.form_token
    assert one != two
    assert session.csrf not in one
    assert session.has_token(one)
    assert session.has_token(two)
    changed = ("B" if one[0] == "A" else "A") + one[1:]
    for wrong in (other.form_token, "", "x", session.csrf, one[:-4], changed, "é"):
        assert not session.has_token(wrong)


def test_a_form_can_be_sent_after_signing_in_again() -> None:
    """The same person keeps the token of forms, never the id of the session; nobody else does."""
    former = Session.begin(ANA, NOW)
    again = Session.begin(ANA, NOW + LONGEST, former=former)
    assert again.has_token(former.form_token)
    assert again.id != former.id
    assert not Session.begin(BEN, NOW, former=former).has_token(former.form_token)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"subject": "s" * 500, "issuer": "i" * 500, "name": "\N{SNOWMAN}" * 500}, True),
        ({"subject": "\N{GRINNING FACE}" * 400, "issuer": "i" * 500}, True),
        ({"subject": "\N{GRINNING FACE}" * 500, "issuer": "\N{GRINNING FACE}" * 500}, False),
    ],
    ids=["long", "longer", "monstrous"],
)
def test_a_cookie_is_never_larger_than_browsers_take(fields: dict[str, Any], *, fits: bool) -> None:
    """Names are cut; what identifies a person is not, so a monstrous one is refused."""
    identity = Identity(source=IdentitySource.OIDC, is_verified=True, roles=tuple(Role), **fields)
    session = Session.begin(identity, NOW)
    assert session.identity.person == identity.person
    if fits:
        assert len(cookie_of().write(session)) < 4_096
    else:
        with pytest.raises(TooLargeToSeal, match=f"{MAX_SEALED}"):
            cookie_of().write(session)
