"""The rate limit: its headers, the block, and separate tokens."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from clawback.simulator import Rate, parse_rate
from tests.simulator.conftest import Serve


async def test_headers_count_down(serve: Serve) -> None:
    """Every response says how many requests are left, in the documented form."""
    api = await serve(rate=Rate(1200, 300))
    for left in (1199, 1198):
        answer = await api.get("/investigate")
        assert re.fullmatch(rf'"default";r={left};t=(300|299)', answer.headers["ratelimit"])
        assert answer.headers["ratelimit-policy"] == '"default";q=1200;w=300'


async def test_exceeding_blocks_for_the_length_of_the_window(serve: Serve) -> None:
    """Exceeding the limit makes everything a 429 for five minutes; then a new window starts."""
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    clock = [start]
    api = await serve(rate=Rate(3, 300), clock=lambda: clock[0])
    assert [(await api.get("/investigate")).status_code for _ in range(3)] == [200] * 3

    clock[0] = start + timedelta(seconds=299)
    refused = await api.get("/investigate")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "300")
    assert refused.json()["success"] is False
    clock[0] = start + timedelta(seconds=598)
    late = await api.get("/investigate")
    assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    clock[0] = start + timedelta(seconds=599)
    assert [(await api.get("/investigate")).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_windows_are_fixed(serve: Serve) -> None:
    """When the window ends, the whole quota is available again."""
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    clock = [start]
    api = await serve(rate=Rate(2, 10), clock=lambda: clock[0])
    assert [(await api.get("/investigate")).status_code for _ in range(2)] == [200] * 2
    clock[0] = start + timedelta(seconds=10)
    assert [(await api.get("/investigate")).status_code for _ in range(3)] == [200, 200, 429]


async def test_tokens_are_counted_apart(serve: Serve) -> None:
    """The block of one token does not affect another; a new limit resets all counts."""
    api = await serve(rate=Rate(1, 300))
    assert [(await api.get("/investigate")).status_code for _ in range(2)] == [200, 429]
    url = f"{api.url}/accounts/acc/email-security/investigate"
    assert (await api.client.get(url, headers={"authorization": "Bearer other"})).status_code == 200
    assert (await api.control("/rate-limit", "off")).json() == {"limit": "off"}
    answer = await api.get("/investigate")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
    assert (await api.control("/rate-limit", '{"limit": "5/1"}')).json() == {"limit": "5/1"}
    assert (await api.control("/rate-limit", "fast")).status_code == 400


@pytest.mark.parametrize("text", ["", "1200", "0/300", "5/0", "a/b", "-1/3"])
def test_wrong_rates_are_refused(text: str) -> None:
    """The error names the expected form."""
    with pytest.raises(ValueError, match="invalid rate"):
        parse_rate(text)
