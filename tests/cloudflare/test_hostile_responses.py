"""Responses that want something: the token, the memory, the stack."""

import gzip
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from clawback.cloudflare import Unavailable, UnknownOutcome, UnreadableResponse
from clawback.cloudflare.transport import MAX_BODY
from tests.cloudflare.support import client
from tests.cloudflare.test_errors import READS, WRITES, error_of

CALLS = READS + WRITES
AS_READ = 64 * 1024
"""Bytes that httpcore reads from a connection at once."""


@pytest.mark.parametrize(("method", "arguments"), CALLS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_takes_the_token_elsewhere(
    status: int, method: str, arguments: Mapping[str, Any]
) -> None:
    """Whatever its status, a redirect to another host costs one request and ends in an error."""
    asked: list[httpx.URL] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(status, headers={"Location": "https://evil.test/collect"})

    error = await error_of(client(redirect), method, arguments)
    assert isinstance(error, Unavailable | UnknownOutcome)
    assert [url.host for url in asked] == ["127.0.0.1"]


async def test_a_gzip_bomb_is_given_up() -> None:
    """400 KiB that become 400 MiB are counted as they grow: unreadable, and unknown for a post."""
    bomb = gzip.compress(bytes(6 * MAX_BODY), 9)

    async def in_parts() -> AsyncIterator[bytes]:
        for start in range(0, len(bomb), AS_READ):
            yield bomb[start : start + AS_READ]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=in_parts())

    api = client(answer)
    tracemalloc.start()
    try:
        assert isinstance(await error_of(api, *READS[0]), UnreadableResponse)
        assert isinstance(await error_of(api, *WRITES[0]), UnknownOutcome)
        assert tracemalloc.get_traced_memory()[1] < 5 * MAX_BODY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body", [b"[" * 500_000, b'{"a":' * 500_000, b"[" * 500_000 + b"]" * 500_000]
)
async def test_json_without_bottom_cannot_be_read(body: bytes) -> None:
    """Nesting ends in an error of ours, not in that of the interpreter."""
    api = client(lambda _: httpx.Response(200, content=body))
    assert isinstance(await error_of(api, *READS[0]), UnreadableResponse)
    assert isinstance(await error_of(api, *WRITES[0]), UnknownOutcome)
