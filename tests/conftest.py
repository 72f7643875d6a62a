"""Fixtures for tests of several packages: a real Temporal server, the shared corpus, no network."""

import gc
import ipaddress
import os
import shutil
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from clawback.temporal import names
from clawback.temporal.data_converter import data_converter

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # machines are shared: no test is judged by the clock


SLOW_FIRST = ("chaos", "rehearsal", "wheel", "docs", "workflows", "bench", "cli", "temporal")
"""The folders whose tests take seconds; the others fill the gaps at the end of a run."""
_MOST_PROCESSES = 16


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes per core, because most tests wait for servers."""
    return min(2 * (os.cpu_count() or 1), _MOST_PROCESSES)


def pytest_collection() -> None:
    """Import the tests without garbage collection: a quarter of the time would be its."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but never look through what was imported again."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slow files first, so that no process ends long after the others."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.parent.name
    return SLOW_FIRST.index(folder) if folder in SLOW_FIRST else len(SLOW_FIRST)


class NotLoopback(OSError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse connections of this process to anything but loopback addresses and Unix sockets."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _require_loopback(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _require_loopback(address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "connect", guarded_connect)
        patched.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield


@pytest.fixture(autouse=True, scope="session")
def certificates_once() -> Iterator[None]:
    """Parse the certificates of the public authorities once, not for each client of each test."""
    with pytest.MonkeyPatch.context() as patched:
        name = "httpx._transports.default.create_ssl_context"
        patched.setattr(name, cache(httpx.create_ssl_context))
        yield


def _require_loopback(address: Any) -> None:
    if not isinstance(address, tuple):
        return  # a Unix socket
    host = address[0]
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        raise NotLoopback(f"tests may not connect to {host}")


ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "phishing_pot.jsonl.gz"


os.environ.setdefault("GOGC", "800")  # a Temporal server that lives for seconds collects no garbage


def temporal_binary() -> str:
    """The path of the server that the locked requirements install."""
    return (
        shutil.which("temporal", path=str(Path(sys.executable).parent))
        or shutil.which("temporal")
        or "temporal"
    )


AS_EMBEDDED = (
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "system.forceSearchAttributesCacheRefreshOnRead=false",
)
"""What the embedded server sets too; `clawback/local/temporal_server.py` says why."""


_ATTRIBUTE_KEYS: dict[str, Callable[[str], SearchAttributeKey[Any]]] = {
    "Keyword": SearchAttributeKey.for_keyword,
    "KeywordList": SearchAttributeKey.for_keyword_list,
    "Datetime": SearchAttributeKey.for_datetime,
}


def server_options(*configured: str) -> dict[str, Any]:
    """Options of an in-memory Temporal dev server, with further dynamic configuration."""
    return {
        "dev_server_existing_path": temporal_binary(),
        "data_converter": data_converter(None),
        "search_attributes": [
            _ATTRIBUTE_KEYS[kind](name) for name, kind in names.SEARCH_ATTRIBUTES.items()
        ],
        "dev_server_extra_args": [
            word
            for value in (*AS_EMBEDDED, *configured)
            for word in ("--dynamic-config-value", value)
        ],
    }


@asynccontextmanager
async def started_server(*configured: str) -> AsyncIterator[Client]:
    """Run a Temporal dev server until the block is left; it starts in half a second."""
    async with await WorkflowEnvironment.start_local(**server_options(*configured)) as environment:
        yield environment.client


class SharedServers:
    """Dev servers with many namespaces, of which each test gets an empty one.

    A test leaves its workflows behind, and nothing serves them any more. When all namespaces of a
    server are used, another one starts, so that none grows without bound.
    """

    NAMESPACES = 40

    def __init__(self) -> None:
        self._unused: list[str] = []
        self._servers: list[WorkflowEnvironment] = []
        self._users: Counter[WorkflowEnvironment] = Counter()

    @asynccontextmanager
    async def namespace(self) -> AsyncIterator[Client]:
        """Connect to a namespace that nobody has used."""
        if not self._unused:
            await self._start()
        server, name = self._servers[-1], self._unused.pop()

        self._users[server] += 1
        try:
            yield await Client.connect(
                server.client.service_client.config.target_host,
                namespace=name,
                data_converter=data_converter(None),
            )
        finally:
            self._users[server] -= 1

    async def close(self) -> None:
        """End the servers that nobody uses; a fixture of a module may use one for long."""
        for server in [one for one in self._servers if not self._users[one]]:
            self._servers.remove(server)
            await server.shutdown()

    async def _start(self) -> None:
        await self.close()
        self._unused = [f"test-{number}" for number in range(self.NAMESPACES)]
        options = server_options()
        options["dev_server_extra_args"] += [f"--namespace={name}" for name in self._unused]
        self._servers.append(await WorkflowEnvironment.start_local(**options))


@pytest.fixture(scope="session")
async def shared_servers() -> AsyncIterator[SharedServers]:
    """The servers that the tests of this process share, started when a test needs one."""
    servers = SharedServers()
    yield servers
    await servers.close()


@pytest.fixture
async def temporal(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A Temporal dev server for one test, for instance one that starts commands.

    An indirect parameter gives further dynamic configuration, for instance
    `("limit.historyCount.suggestContinueAsNew=40",)`.
    """
    async with started_server(*getattr(request, "param", ())) as client:
        yield client


@asynccontextmanager
async def server_or_namespace(
    request: pytest.FixtureRequest, servers: SharedServers
) -> AsyncIterator[Client]:
    """Run a server if the test configures one, else give it a namespace of a shared server."""
    configured = getattr(request, "param", ())
    async with started_server(*configured) if configured else servers.namespace() as client:
        yield client


@pytest.fixture
async def skipping() -> AsyncIterator[Client]:
    """The same server with time skipping: when it is idle, its clock jumps to the next timer."""
    options = server_options("frontend.WorkflowTimeSkippingEnabled=true")
    async with await WorkflowEnvironment.start_time_skipping_v2(**options) as environment:
        yield environment.client


@pytest.fixture
def corpus() -> Path:
    """The shared corpus of real phishing mail; skips the test if it is not beside the checkout."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not beside this checkout")
    return CORPUS
