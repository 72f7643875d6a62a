"""Assertions of Cloudflare Access, against keys that this machine publishes."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from clawback.identity.access import AccessVerifier
from clawback.identity.configuration import access_verifier
from clawback.identity.errors import IdentityError, ProviderUnavailable, TokenRefused
from clawback.identity.exchange import open_http
from clawback.model.identity import IdentitySource, Role
from clawback.settings import Settings
from tests.identity.providers import LocalProvider, local_provider

AUDIENCE = "32eafc7626e737843a1e3d0d5f3c8b1f"
Access = tuple[LocalProvider, AccessVerifier]


def settings_of(team: LocalProvider) -> dict[str, Any]:
    """Settings as the environment has them."""
    return {
        "identity_access_team": f"{team.url}/",
        "identity_access_audience": AUDIENCE,
        "identity_roles_claim": "custom.groups",
        "identity_operators": "leads",
    }


@pytest.fixture
async def access() -> AsyncIterator[Access]:
    """A team and the verifier of one application."""
    with local_provider() as team:
        async with open_http() as http:
            yield team, access_verifier(http, Settings(**settings_of(team)))


def assertion(team: LocalProvider, **claims: Any) -> str:
    """An assertion as Access writes it."""
    person = {"type": "app", "sub": "7335d417", "custom": {"groups": ["leads"]}, "groups": None}
    return team.token(**{"aud": [AUDIENCE], **person, **claims})


async def test_an_assertion_says_who_asks(access: Access) -> None:
    """By the team's keys, which are read once."""
    team, verifier = access
    for _ in range(3):
        identity = (await verifier.verify(assertion(team))).identity
        assert (identity.source, identity.person[1:]) == (
            IdentitySource.ACCESS,
            (team.url, "7335d417"),
        )
        assert (identity.label, identity.roles) == ("ana@corp.example", (Role.OPERATOR,))
    assert team.requests == ["/cdn-cgi/access/certs"]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["another application"]},
        {"iss": "https://another.cloudflareaccess.com"},
        {"exp": int(time.time()) - 3600},
        {"nbf": int(time.time()) + 3600},
        {"type": "org"},
        {"type": None},
        {"sub": "", "common_name": "service"},
        {"sub": None},
    ],
    ids=["audience", "issuer", "expired", "early", "org", "untyped", "service", "nobody"],
)
async def test_an_assertion_for_something_else_is_refused(
    access: Access, claims: dict[str, Any]
) -> None:
    """Another application or team, another time, or no person."""
    team, verifier = access
    with pytest.raises(TokenRefused):
        await verifier.verify(assertion(team, **claims))


async def test_a_forged_assertion_is_refused(access: Access) -> None:
    """Also with an algorithm that Access does not use."""
    team, verifier = access
    stranger = RSAKey.generate_key(2048, parameters={"kid": "one"})
    with pytest.raises(TokenRefused):
        await verifier.verify(assertion(team, key=stranger))
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(TokenRefused):
            await verifier.verify(assertion(team, alg=algorithm))


@pytest.mark.parametrize(
    "groups",
    [["leads", "x"], [{"id": "1f", "name": "leads"}], [{"id": "leads"}], [7, {"email": "leads"}]],
    ids=["texts", "names", "ids", "addresses"],
)
async def test_groups_come_from_access_if_the_assertion_has_none(groups: list[Any]) -> None:
    """It is asked with the assertion itself, once for each identity, and again after a change."""
    with local_provider() as team:
        team.identity = {"email": "forged@corp.example", "groups": groups, "sub": "another"}
        async with open_http() as http:
            settings = {**settings_of(team), "identity_roles_claim": "groups"}
            verifier = access_verifier(http, Settings(**settings))
            known = assertion(team, custom=None, identity_nonce="n1")
            for _ in range(2):
                identity = (await verifier.verify(known)).identity
                assert (identity.subject, identity.label) == ("7335d417", "ana@corp.example")
                assert identity.roles == (Role.OPERATOR,)
            assert team.requests.count("/cdn-cgi/access/get-identity") == 1
            assert team.cookies[-1] == f"CF_Authorization={known}"

            team.identity["groups"] = ["strangers"]
            changed = assertion(team, custom=None, identity_nonce="n2")
            assert (await verifier.verify(changed)).identity.roles == ()


async def test_groups_that_cannot_be_asked_for_are_none(access: Access) -> None:
    """It fails closed: nobody is let in without knowing what they may do."""
    team, verifier = access
    with pytest.raises(ProviderUnavailable):
        await verifier.verify(assertion(team, custom=None, identity_nonce="n1"))


async def test_without_the_keys_nobody_is_believed(access: Access) -> None:
    """An endpoint that is down fails closed."""
    team, verifier = access
    team.is_down = True
    with pytest.raises(ProviderUnavailable):
        await verifier.verify(assertion(team))


async def test_half_a_setting_is_refused() -> None:
    """A team without the tag of the application would accept those of every application."""
    async with open_http() as http:
        with pytest.raises(IdentityError, match="CLAWBACK_IDENTITY_ACCESS_AUDIENCE"):
            access_verifier(http, Settings(identity_access_team="https://a.example"))
