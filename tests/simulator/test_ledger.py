"""Under all faults at once, the ledger has what happened and the request log explains it."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from clawback.simulator import parse_faults
from tests.simulator.conftest import Api, Serve, line

SPEC = "429=0.1:0,500=0.1,timeout=0.05:0.01,reset=0.1,lost_answer=0.1,malformed=0.1,slow=0.1:0.005"
EXECUTED = {None, "lost_answer", "malformed", "slow"}


async def insist(api: Api, path: str, body: dict[str, Any]) -> int:
    """Repeat a request until a whole answer comes; gives how often it was sent."""
    for attempt in range(1, 200):
        try:
            answer = await api.post(path, body)
            if answer.status_code < 300 and answer.json()["success"]:
                return attempt
        except (httpx.TransportError, ValueError):
            continue
    raise AssertionError("never answered")


async def test_ledger_under_all_faults(serve: Serve) -> None:
    """Moves repeated under faults are each one row.

    Creates repeated under faults are as many rows as there are blocks.

    Every row belongs to a request that was executed, and every executed request that had an effect
    has its rows.
    """
    api = await serve(faults=parse_faults(SPEC), seed=11, rate=None)
    api.simulator.add(line(f"m{number}") for number in range(80))
    moves = [
        insist(api, "/investigate/move", {"destination": "JunkEmail", "ids": [f"m{number}"]})
        for number in range(80)
    ]
    pattern = {"pattern_type": "EMAIL", "is_regex": False}
    creates = [
        insist(api, "/settings/block_senders", {"pattern": f"m{number}@evil.test"} | pattern)
        for number in range(40)
    ]
    sent = sum(await asyncio.gather(*moves, *creates))

    rows, asked = await api.ledger(), {entry["seq"]: entry for entry in await api.sim("/requests")}
    moved = [row["id"] for row in rows if row["operation"] == "move"]
    created = [row["id"] for row in rows if row["operation"] == "create"]

    assert len(asked) == sent > 120
    assert sorted(moved) == sorted(f"m{number}" for number in range(80))
    assert len(created) == len(set(created)) == len(api.simulator.account.policies["block_senders"])
    assert {asked[row["request"]]["fault"] for row in rows} <= EXECUTED
    posts = [
        entry
        for entry in asked.values()
        if entry["template"].endswith("/block_senders") and entry["fault"] in EXECUTED
    ]
    assert sorted(entry["seq"] for entry in posts) == sorted(
        row["request"] for row in rows if row["operation"] == "create"
    )
    seen = Counter(entry["fault"] for entry in asked.values())
    assert all(
        seen[fault] > 0
        for fault in ("429", "500", "timeout", "reset", "lost_answer", "malformed", "slow")
    )
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(entry["seconds"] is not None for entry in asked.values())
