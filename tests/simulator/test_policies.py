"""Policies: the life cycle of a block, validation, pages, duplicates."""

from typing import Any
from uuid import UUID

import pytest

from clawback.simulator import Shape
from tests.simulator.conftest import Api, Serve

BLOCKS = "/settings/block_senders"


def block(pattern: str = "mallory@evil.test", kind: str = "EMAIL", **fields: Any) -> dict[str, Any]:
    """Write the body of a create."""
    return {"pattern": pattern, "pattern_type": kind, "is_regex": False} | fields


async def test_life_cycle_of_a_block(api: Api) -> None:
    """Create 201, read, edit, delete 200, then 404; each change is in the ledger once."""
    created = await api.post(BLOCKS, block(comments="ours"))
    assert created.status_code == 201
    identity = created.json()["result"]["id"]
    UUID(identity)
    assert (await api.result(f"{BLOCKS}/{identity}"))["comments"] == "ours"
    for _ in range(2):
        edited = await api.send("PATCH", f"{BLOCKS}/{identity}", {"comments": None})
        assert (edited.status_code, edited.json()["result"]["comments"]) == (200, None)
    assert (await api.send("DELETE", f"{BLOCKS}/{identity}")).json()["result"] == {"id": identity}
    assert (await api.send("DELETE", f"{BLOCKS}/{identity}")).status_code == 404
    assert (await api.get(f"{BLOCKS}/{identity}")).status_code == 404
    rows = await api.ledger()
    assert [(row["operation"], row["id"], row["pattern"], row["pattern_type"]) for row in rows] == [
        (operation, identity, "mallory@evil.test", "EMAIL")
        for operation in ("create", "edit", "delete")
    ]


@pytest.mark.parametrize(
    "body",
    [
        block("shein-survey-free"),
        block("a@b@c"),
        block("mallory@"),
        block(""),
        block("a@" + "x" * 1024 + ".test"),
        block("no_dots", "DOMAIN"),
        block("bad domain.test", "DOMAIN"),
        block("-bad.test", "DOMAIN"),
        block("192.168.1.4", "IP"),
        block("10.0.0.0/8", "IP"),
        block("127.0.0.1", "IP"),
        block("169.254.1.1", "IP"),
        block("255.255.255.255", "IP"),
        block("::1", "IP"),
        block("fd00::1", "IP"),
        block("::ffff:10.0.0.1", "IP"),
        block("300.1.1.1", "IP"),
        block("x", "UNKNOWN"),
        block("(", is_regex=True),
        block(is_regex="no"),
        block(comments="x" * 1025),
        {"pattern": "a@b.test", "pattern_type": "EMAIL"},
        {"pattern": None, "pattern_type": "EMAIL", "is_regex": False},
        [],
    ],
)
async def test_bad_patterns_are_refused(api: Api, body: object) -> None:
    """An invalid pattern is a 400 with a failure envelope, and adds no row."""
    answer = await api.post(BLOCKS, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["success"] is False
    assert await api.result(BLOCKS) == []
    assert await api.ledger() == []


@pytest.mark.parametrize(
    "body",
    [
        block(),
        block("evil.test", "DOMAIN"),
        block("8.8.8.8", "IP"),
        block("8.8.8.0/24", "IP"),
        block("2606:4700:4700::1111", "IP"),
        block("2606:4700::/32", "IP"),
        block(".*@evil[.]test", is_regex=True),
        block("xn--bcher-kva.example", "DOMAIN"),
    ],
)
async def test_good_patterns_are_accepted(api: Api, body: object) -> None:
    """Addresses, domains, public IPs and regular expressions."""
    assert (await api.post(BLOCKS, body)).status_code == 201


async def test_duplicates_are_allowed_unless_chosen(api: Api, serve: Serve) -> None:
    """The API documents no uniqueness, so a 409 must be configured."""
    assert [(await api.post(BLOCKS, block())).status_code for _ in range(2)] == [201, 201]
    assert len(await api.ledger()) == 2
    strict = await serve(refuse_duplicates=True)
    assert [(await strict.post(BLOCKS, block())).status_code for _ in range(2)] == [201, 409]
    assert len(await strict.ledger()) == 1


async def test_list_filters_searches_and_pages(api: Api) -> None:
    """Lists filter by pattern and type, search in texts, and count everything in the total."""
    for number in range(5):
        await api.post(BLOCKS, block(f"m{number}@evil.test"))
    await api.post(BLOCKS, block("evil.test", "DOMAIN", comments="Campaign 7"))

    async def patterns(**params: Any) -> list[str]:
        return [record["pattern"] for record in await api.result(BLOCKS, **params)]

    assert await patterns(pattern="m3@evil.test") == ["m3@evil.test"]
    assert await patterns(pattern_type="DOMAIN") == ["evil.test"]
    assert await patterns(search="campaign") == ["evil.test"]
    assert await patterns(order="pattern", direction="desc", per_page=2) == [
        "m4@evil.test",
        "m3@evil.test",
    ]
    second = (await api.get(BLOCKS, per_page=4, page=2)).json()
    assert second["result_info"] == {"count": 2, "page": 2, "per_page": 4, "total_count": 6}
    assert (await api.get(BLOCKS, per_page=4, page=3)).json()["result"] == []


async def test_edit_is_checked_as_a_whole(api: Api) -> None:
    """An edit that leaves a pattern of the wrong type, or has no field, is refused."""
    identity = (await api.post(BLOCKS, block())).json()["result"]["id"]
    for body in ({"pattern_type": "DOMAIN"}, {"pattern": "nope"}, {}, {"id": "x"}):
        assert (await api.send("PATCH", f"{BLOCKS}/{identity}", body)).status_code == 400
    assert (await api.result(f"{BLOCKS}/{identity}"))["pattern_type"] == "EMAIL"


async def test_batch_runs_in_order_or_not_at_all(api: Api) -> None:
    """A batch deletes, patches and creates in one request; an invalid item reverts everything."""
    first, second = [
        (await api.post(BLOCKS, block(f"m{number}@evil.test"))).json()["result"]["id"]
        for number in range(2)
    ]
    good = {
        "deletes": [{"id": first}],
        "patches": [{"id": second, "comments": "x"}],
        "puts": [],
        "posts": [block("n@evil.test")],
    }
    bad = good | {"deletes": [{"id": second}], "patches": [], "posts": [block("nope")]}

    done = await api.post(f"{BLOCKS}/batch", good)
    assert done.status_code == 200, done.text
    assert {name: len(items) for name, items in done.json()["result"].items()} == {
        "deletes": 1,
        "patches": 1,
        "puts": 0,
        "posts": 1,
    }
    assert (await api.post(f"{BLOCKS}/batch", bad)).status_code == 400
    assert (await api.post(f"{BLOCKS}/batch", {"posts": []})).status_code == 400

    assert {record["pattern"] for record in await api.result(BLOCKS)} == {
        "m1@evil.test",
        "n@evil.test",
    }
    assert [row["operation"] for row in await api.ledger()] == [
        "create",
        "create",
        "delete",
        "edit",
        "create",
    ]


async def test_old_shape_has_integer_ids(serve: Serve) -> None:
    """The old shape has integer ids and `last_modified`."""
    api = await serve(shape=Shape.OLD)
    created = (await api.post(BLOCKS, block())).json()["result"]
    assert isinstance(created["id"], int)
    assert created["last_modified"] == created["modified_at"]
    assert (await api.send("DELETE", f"{BLOCKS}/{created['id']}")).json()["result"] == {
        "id": created["id"]
    }
