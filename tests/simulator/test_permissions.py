"""Tokens and their scopes."""

import pytest

from clawback.simulator import TokenScope
from tests.simulator.conftest import HOME, Serve

TOKENS = {"w": TokenScope.WRITE, "r": TokenScope.READ, "n": TokenScope.NONE}


@pytest.mark.parametrize(
    ("token", "read", "write"),
    [("w", 200, 201), ("r", 200, 403), ("n", 403, 403), ("stranger", 401, 401)],
)
async def test_scopes(serve: Serve, token: str, read: int, write: int) -> None:
    """A token may do what its scope allows.

    A 403 links the documentation, and nothing is executed.
    """
    api = await serve(tokens=TOKENS)
    headers = {"authorization": f"Bearer {token}"}
    url = f"{api.url}{HOME}/settings/block_senders"
    body = {"pattern": "a@b.test", "pattern_type": "EMAIL", "is_regex": False}
    answers = [
        await api.client.get(url, headers=headers),
        await api.client.post(url, headers=headers, json=body),
    ]
    assert [answer.status_code for answer in answers] == [read, write]
    for answer in answers:
        if answer.status_code in (401, 403):
            error = answer.json()["errors"][0]
            assert error["code"] == 10000
            assert ("documentation_url" in error) is (answer.status_code == 403)
    assert len(await api.ledger()) == (1 if write == 201 else 0)


async def test_any_token_will_do_by_default(serve: Serve) -> None:
    """Without configured tokens any token or legacy key may write; none at all is a 401."""
    api = await serve()
    url = f"{api.url}{HOME}/investigate"
    assert (await api.client.get(url)).status_code == 200
    for headers, status in (
        ({"authorization": ""}, 401),
        ({"authorization": "Basic abc"}, 401),
        ({"authorization": "", "x-auth-email": "a@b.test", "x-auth-key": "k"}, 200),
        ({"authorization": "", "x-auth-key": "k"}, 401),
    ):
        assert (await api.client.get(url, headers=headers)).status_code == status, headers
