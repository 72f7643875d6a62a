"""Fixtures for tests of several packages: a real Temporal server, the shared corpus, no network."""

import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
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


@pytest.fixture
async def temporal(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A Temporal dev server for one test; it starts in half a second.

    An indirect parameter gives further dynamic configuration, for instance
    `("limit.historyCount.suggestContinueAsNew=40",)`.
    """
    async with await WorkflowEnvironment.start_local(
        **server_options(*getattr(request, "param", ()))
    ) as environment:
        yield environment.client


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
