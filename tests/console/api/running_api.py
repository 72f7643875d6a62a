"""The API over a real installation, in one process with the test: a client for each role."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from temporalio.client import Client

from clawback.console.access.who import Visitor
from clawback.console.api.api_services import ApiServices
from clawback.console.api.application import SessionReader, build_api, no_session
from clawback.identity.access_list import create_secret
from clawback.inventory.catalogue_reader import read_catalogue
from clawback.inventory.rule_catalogue import RuleCatalogue
from clawback.model.identity import Role
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.access_gateway import AccessGateway
from tests.people import person
from tests.waiting import until
from tests.workflows.deployment import RULES, Deployment, deployed
from tests.workflows.test_case import simulated

LINES = list(outbreak(4))
ROOT = "/api/v1"


@dataclass
class RunningApi:
    """An installation, its API, and a client without and for each role with a token."""

    deployment: Deployment
    services: ApiServices
    app: Starlette
    nobody: httpx.AsyncClient
    viewer: httpx.AsyncClient
    analyst: httpx.AsyncClient
    operator: httpx.AsyncClient
    tokens: dict[Role, str]

    def of(self, role: Role | None) -> httpx.AsyncClient:
        """The client of a role; None for nobody."""
        client: httpx.AsyncClient = getattr(self, role or "nobody")
        return client

    @asynccontextmanager
    async def replica(self, role: Role) -> AsyncIterator[httpx.AsyncClient]:
        """Run another process of the API, which remembers nothing; a client of a role."""
        services = ApiServices(self.services.client, self.services.settings)
        app = Starlette(routes=[build_api(services)])
        async with open_client(app, self.tokens[role]) as client:
            yield client


def visit(name: str, ago: timedelta = timedelta()) -> Visitor:
    """Build somebody with all roles who signed in some time ago."""
    signed_in_at = datetime.now(UTC) - ago
    return Visitor(person(name).identity, session=name, csrf="", signed_in_at=signed_in_at)


def open_client(app: Starlette, token: str | None = None) -> httpx.AsyncClient:
    """Open a client of the API, with a token or without."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url=f"http://console.test{ROOT}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )


@cache
def shipped_catalogue() -> RuleCatalogue:
    """The rules as the worker of a test has them."""
    return read_catalogue(RULES, None, Mode.ENFORCE)


async def read_no_limits() -> None:
    """Let one person undo everything."""


async def read_shipped_rules() -> RuleCatalogue:
    """Read the rules without blocking the server."""
    return await asyncio.to_thread(shipped_catalogue)


@asynccontextmanager
async def running_api(
    temporal: Client, state: Path, read_session: SessionReader = no_session, **options: Any
) -> AsyncIterator[RunningApi]:
    """Run an installation with the API until the block is left; one person may undo everything."""
    read_limits = None if options.get("judges_undo") else read_no_limits
    async with AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(
            deployed(temporal, simulated(LINES), state, **options)
        )
        services = ApiServices(temporal, deployment.settings, read_shipped_rules, read_limits)
        app = Starlette(routes=[build_api(services, read_session)])
        tokens = {role: await create_token(temporal, role) for role in Role}
        await services.access.read()

        clients = {
            role.value: await stack.enter_async_context(open_client(app, token))
            for role, token in tokens.items()
        }
        yield RunningApi(
            deployment,
            services,
            app,
            nobody=await stack.enter_async_context(open_client(app)),
            tokens=tokens,
            **clients,
        )


@asynccontextmanager
async def serving_api(app: Starlette) -> AsyncIterator[str]:
    """Serve the API on a real port until the block is left; the URL of its operations."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{ROOT}"
    finally:
        server.should_exit = True
        await serving


async def create_token(client: Client, role: Role) -> str:
    """Create a token of a role; its secret."""
    secret, token = create_secret(role, f"{role} of a test", timedelta(days=1), datetime.now(UTC))
    await AccessGateway(client).create_token(token, person("ana"))
    return secret
