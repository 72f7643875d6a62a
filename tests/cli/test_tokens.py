"""`clawback tokens` as an operator meets it, against a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.identity.access_list import hash_secret
from clawback.temporal.access_gateway import AccessGateway
from tests.cli.command import clawback, sentence
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_case import simulated


@pytest.fixture
async def deployment(temporal: Client, tmp_path: Path) -> AsyncIterator[Deployment]:
    """An installation without tokens."""
    async with deployed(temporal, simulated([]), tmp_path / "state") as deployment:
        yield deployment


async def tokens(deployment: Deployment, *arguments: str) -> CompletedProcess[str]:
    """Run `clawback tokens` against the server of a deployment."""
    address = deployment.client.service_client.config.target_host
    return await asyncio.to_thread(clawback, "tokens", *arguments, TEMPORAL_ADDRESS=address)


async def test_a_token_is_created_listed_and_revoked(deployment: Deployment) -> None:
    """The secret is printed once, alone on stdout, so that a script can take it."""
    assert (await tokens(deployment, "list")).stdout == "There are no tokens.\n"
    created = await tokens(deployment, "create", "--role", "viewer", "--name", "nightly report")
    secret = created.stdout.strip()
    assert secret.startswith("clawback_")
    assert "It is not shown again." in created.stderr

    listed = await tokens(deployment, "list")
    assert secret not in listed.stdout
    (token,) = json.loads((await tokens(deployment, "list", "--json")).stdout)
    assert (token["name"], token["role"], token["state"]) == ("nightly report", "viewer", "valid")
    assert token["id"] in listed.stdout
    in_90_days = datetime.now(UTC) + timedelta(days=90)
    assert abs(datetime.fromisoformat(token["expires_at"]) - in_90_days) < timedelta(minutes=5)

    revoked = await tokens(deployment, "revoke", token["id"], "--reason", "not needed")
    assert revoked.stdout == f"Token {token['id']} is revoked.\n"
    (token,) = json.loads((await tokens(deployment, "list", "--json")).stdout)
    assert token["state"] == "revoked"


async def test_json_has_the_token_and_its_id(deployment: Deployment) -> None:
    """As scripts of other people rely on."""
    done = await tokens(deployment, "create", "--role", "operator", "--expires", "1h", "--json")
    created = json.loads(done.stdout)
    view = await AccessGateway(deployment.client).look()
    assert view is not None
    (token,) = view.snapshot.tokens
    assert hash_secret(created["token"]) == token.digest
    assert (created["id"], created["role"]) == (token.id, "operator")
    assert "digest" not in created


@pytest.mark.parametrize("expires", ["2y", "0s", "366d", "soon"])
async def test_a_wrong_validity_is_refused_before_anything_is_created(expires: str) -> None:
    """The message names the option."""
    done = await asyncio.to_thread(
        clawback, "tokens", "create", "--role", "viewer", "--expires", expires
    )
    assert done.returncode == ExitCode.USAGE
    assert "--expires" in sentence(done)


async def test_an_unknown_token_is_an_error(deployment: Deployment) -> None:
    """The message says where to look."""
    done = await tokens(deployment, "revoke", "00000000")
    assert done.returncode == ExitCode.NO
    assert sentence(done).endswith("there is no token '00000000': see `clawback tokens list`")


async def test_the_sessions_of_a_person_are_revoked(deployment: Deployment) -> None:
    """By whatever name the audit has; listed for a day."""
    address = deployment.client.service_client.config.target_host

    async def sessions(*words: str) -> str:
        done = await asyncio.to_thread(clawback, "sessions", *words, TEMPORAL_ADDRESS=address)
        assert done.returncode == ExitCode.OK, done.stderr
        return done.stdout

    assert await sessions("list") == "No sessions were revoked in the last day.\n"
    revoked = await sessions("revoke", "Eve@corp.example", "--reason", "left us")
    assert revoked.startswith("The sessions of eve@corp.example that began until ")
    (one,) = json.loads(await sessions("list", "--json"))
    assert (one["who"], one["reason"]) == ("eve@corp.example", "left us")
