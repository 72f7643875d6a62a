"""The API behind the front door of the console: sessions of browsers, origins and hosts."""

import os

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from clawback.console.access.authenticator import LocalUser
from clawback.console.access.front_door import open_front_door
from clawback.console.access.revocations import SharedRevocations
from clawback.console.api.application import build_api
from clawback.console.api.openapi import ROOT
from clawback.console.app import build_app
from clawback.console.page_routes import Page
from clawback.console.services import Services, visitor_of
from clawback.local import free_port
from clawback.model.identity import Role
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.key_ring import Key, KeyRing
from tests.console.access.serving import serve
from tests.console.api.running_api import RunningApi
from tests.console.api.test_cases import hold


async def show_csrf(request: Request) -> Response:
    """Say which token forms have."""
    return JSONResponse({"csrf": visitor_of(request).csrf})


async def test_a_session_decides_from_our_own_pages_only(api: RunningApi) -> None:
    """And a token from anywhere, whatever cookie comes with it."""
    address, client = f"127.0.0.1:{free_port()}", api.deployment.client
    id_, digest = await hold(api)
    door_ = open_front_door(
        api.deployment.settings,
        KeyRing([Key.generate()]),
        SharedRevocations(api.services.access, AccessGateway(client)),
        address=address,
        local=LocalUser(os.geteuid(), lambda *_: None),
    )
    async with door_ as door:
        app = build_app(
            Services(api.deployment.settings, client),
            door.gate,
            [*door.pages, Page("/csrf", show_csrf, Role.VIEWER)],
            [build_api(api.services, door.gate.read_session)],
            door.site,
        )
        async with (
            serve(app, address) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as browser,
        ):
            nobody = await browser.get(f"{ROOT}/me")
            assert nobody.status_code == 401
            assert nobody.headers["content-type"] == "application/problem+json"
            link = door.create_link()
            assert link is not None
            assert (await browser.get(link)).status_code == 303
            assert (await browser.get(f"{ROOT}/me")).json()["source"] == "local"
            csrf = (await browser.get("/csrf")).json()["csrf"]

            approve, body = f"{ROOT}/cases/{id_}/approve", {"digest": digest}
            ours = {"Origin": url, "X-Clawback-CSRF": csrf}
            for headers in (
                {"Origin": url},
                {**ours, "Origin": "https://evil.example"},
                {**ours, "X-Clawback-CSRF": "x"},
            ):
                refused = await browser.post(approve, json=body, headers=headers)
                assert refused.status_code == 403, headers
                assert refused.headers["content-type"] == "application/problem+json"
            assert (await browser.post(approve, json=body, headers=ours)).status_code == 200

            token = {"Authorization": f"Bearer {api.tokens[Role.ANALYST]}"}
            foreign = {**token, "Origin": "https://evil.example"}
            stopped = await browser.post(f"{ROOT}/stop", json={}, headers=foreign)
            assert stopped.json()["by"] == "token analyst of a test"
            host = {**token, "Host": "evil.example"}
            assert (await browser.get(f"{ROOT}/me", headers=host)).status_code == 421
            large = {"reason": "x" * 70_000}
            assert (
                await browser.post(f"{ROOT}/stop", json=large, headers=token)
            ).status_code == 413
