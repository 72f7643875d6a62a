"""One simulator per test, asked through a real port."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from clawback.simulator import Line, Simulator, SimulatorOptions, read_corpus

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "phishing_pot.jsonl.gz"
HOME = "/accounts/acc/email-security"


@dataclass
class Api:
    """A simulator on a real port, and an HTTP client of it."""

    simulator: Simulator
    url: str
    client: httpx.AsyncClient

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(f"{self.url}{HOME}{path}", params=params)

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.client.request(method, f"{self.url}{HOME}{path}", json=body)

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.send("POST", path, body)

    async def sim(self, path: str) -> Any:
        """Read a control endpoint."""
        return (await self.client.get(self.root + path)).json()

    async def control(self, path: str, content: str) -> httpx.Response:
        return await self.client.post(self.root + path, content=content)

    @property
    def root(self) -> str:
        return self.url.partition("/client")[0] + "/_sim"

    async def ledger(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.sim("/ledger")
        return rows

    async def result(self, path: str, **params: Any) -> Any:
        """Read a result; fail unless the request succeeded."""
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


@pytest.fixture(scope="session")
def real_lines() -> list[Line]:
    """The records of the shared corpus; skip if it is absent."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not here")
    return list(read_corpus(CORPUS))


Serve = Callable[..., Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A function that serves a simulator with the given options until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Api:
            simulator = Simulator(SimulatorOptions(**options))
            url = await stack.enter_async_context(simulator.serve())
            client = httpx.AsyncClient(headers={"authorization": "Bearer any"}, timeout=5)
            return Api(simulator, url, await stack.enter_async_context(client))

        yield start


@pytest.fixture
async def api(serve: Serve) -> Api:
    """A simulator with default options."""
    started: Api = await serve()
    return started


def line(identity: str, at: str = "2026-11-20T10:00:00Z", **fields: Any) -> dict[str, Any]:
    """A small malicious message as a corpus line."""
    defaults = {
        "id": identity,
        "postfix_id": f"pf-{identity}",
        "message_id": f"<{identity}@mail.test>",
        "from": "mallory@evil.test",
        "to": ["ana@corp.example"],
        "client_recipients": ["ana@corp.example"],
        "subject": "Your invoice is due",
        "scanned_at": at,
        "delivery_status": ["delivered"],
        "final_disposition": "MALICIOUS",
    }
    detections = {
        "action": "DELIVERED",
        "attachments": [],
        "headers": [],
        "links": [{"href": "https://pay.link-farm.test/x"}],
        "findings": [],
        "sender_info": {},
        "threat_categories": [],
        "validation": {},
    }
    return {"message": defaults | fields, "detections": detections}
