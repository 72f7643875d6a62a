"""Searching and reading messages."""

import json
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from typing import Any

import pytest

from clawback.simulator import Order, Shape
from clawback.simulator.responses import format_time
from tests.simulator.conftest import Api, Serve, line

SINCE = "2026-01-01T00:00:00Z"


async def pages(api: Api, **params: object) -> list[list[str]]:
    """Read every page by its cursor."""
    found, cursor = [], None
    while True:
        body = (
            await api.get(
                "/investigate", start=SINCE, **params, **({"cursor": cursor} if cursor else {})
            )
        ).json()
        found.append([record["id"] for record in body["result"]])
        if (cursor := body["result_info"]["next"]) is None:
            return found


async def found(api: Api, **params: object) -> set[str]:
    """Give the ids that one large page finds."""
    records = await api.result(
        "/investigate", **{"start": SINCE, "per_page": 1000, "detections_only": "false"} | params
    )
    return {record["id"] for record in records}


@pytest.mark.parametrize("order", Order)
async def test_cursor_visits_every_message_once(serve: Serve, order: Order) -> None:
    """In any order, following `next` finds every message exactly once."""
    api = await serve(order=order)
    api.simulator.add(
        line(f"m{number}", f"2026-11-20T10:00:{number % 7:02}Z") for number in range(23)
    )

    visited = await pages(api, per_page=5)

    assert [len(page) for page in visited] == [5, 5, 5, 5, 3]
    assert sorted(chain.from_iterable(visited)) == sorted(f"m{number}" for number in range(23))


@pytest.mark.parametrize(("order", "descending"), [(Order.NEWEST, True), (Order.OLDEST, False)])
async def test_order_is_by_time(serve: Serve, order: Order, *, descending: bool) -> None:
    """Results are newest or oldest first, as chosen."""
    api = await serve(order=order)
    api.simulator.add(
        line(f"m{number}", f"2026-11-20T10:{(number * 7) % 60:02}:00Z") for number in range(20)
    )
    times = [record["scanned_at"] for record in await api.result("/investigate", start=SINCE)]
    assert times == sorted(times, reverse=descending)


async def test_shuffled_order_is_not_by_time_but_stable(serve: Serve) -> None:
    """The order looks random and is the same for every request."""
    api = await serve(order=Order.SHUFFLED, seed=3)
    api.simulator.add(line(f"m{number}", f"2026-11-20T10:{number:02}:00Z") for number in range(20))
    first = [record["scanned_at"] for record in await api.result("/investigate", start=SINCE)]
    assert first == [
        record["scanned_at"] for record in await api.result("/investigate", start=SINCE)
    ]
    assert any(a > b for a, b in pairwise(first))
    assert any(a < b for a, b in pairwise(first))


async def test_arrivals_do_not_shift_pages(api: Api) -> None:
    """A message that arrives between two pages neither repeats nor hides another."""
    api.simulator.add(line(f"m{number}", f"2026-11-20T10:00:{number:02}Z") for number in range(6))
    first = (await api.get("/investigate", start=SINCE, per_page=3)).json()
    api.simulator.add([line("new", "2026-11-20T11:00:00Z")])
    second = (
        await api.get("/investigate", start=SINCE, per_page=3, cursor=first["result_info"]["next"])
    ).json()
    assert [record["id"] for record in first["result"] + second["result"]] == [
        "m5",
        "m4",
        "m3",
        "m2",
        "m1",
        "m0",
    ]


async def test_cursor_result_info(api: Api) -> None:
    """`result_info` has a count, a cursor, and zeros as in the API."""
    api.simulator.add(line(f"m{number}") for number in range(3))
    info = (await api.get("/investigate", start=SINCE, per_page=2)).json()["result_info"]
    assert info["count"] == 2
    assert info["per_page"] == 2
    assert isinstance(info["next"], str)
    assert (info["total_count"], info["page"], info["previous"]) == (0, 0, None)


async def test_deprecated_page_still_pages_and_ends(api: Api) -> None:
    """`page` works without a cursor, and ends in an empty page."""
    api.simulator.add(line(f"m{number}") for number in range(5))
    seen = [
        await api.result("/investigate", start=SINCE, per_page=2, page=page)
        for page in (1, 2, 3, 4)
    ]
    assert [len(page) for page in seen] == [2, 2, 1, 0]
    assert len({record["id"] for page in seen for record in page}) == 5


async def test_window_is_half_open(api: Api) -> None:
    """A message scanned at `start` is found, one scanned at `end` is not."""
    api.simulator.add([line("a", "2026-11-20T10:00:00Z"), line("b", "2026-11-20T11:00:00Z")])
    assert await found(api, start="2026-11-20T10:00:00Z", end="2026-11-20T11:00:00Z") == {"a"}


async def test_default_window_is_thirty_days(api: Api) -> None:
    """Without `start`, messages older than 30 days are not found."""
    now = datetime.now(UTC)
    api.simulator.add(
        [
            line("old", format_time(now - timedelta(days=31))),
            line("recent", format_time(now - timedelta(days=29))),
        ]
    )
    assert {record["id"] for record in await api.result("/investigate")} == {"recent"}


@pytest.mark.parametrize(
    "params",
    [
        {"start": "2999-01-01T00:00:00Z"},
        {"start": "yesterday"},
        {"per_page": 1001},
        {"per_page": 0},
        {"page": "x"},
        {"final_disposition": "MALICIOUS-BEC"},
        {"detections_only": "maybe"},
        {"message_action": "MOVE"},
        {"delivery_status": "gone"},
        {"cursor": "nonsense"},
    ],
)
async def test_wrong_parameters_are_refused(api: Api, params: dict[str, object]) -> None:
    """An invalid parameter is a 400 with a failure envelope."""
    answer = await api.get("/investigate", **params)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["success"], body["result"]) == (False, None)
    assert body["errors"][0]["code"] >= 1000


async def test_only_detections_unless_asked(api: Api) -> None:
    """Clean mail is found only with `detections_only=false`."""
    api.simulator.add(
        [line("bad"), line("clean", final_disposition="NONE"), line("odd", final_disposition=None)]
    )
    assert {record["id"] for record in await api.result("/investigate", start=SINCE)} == {"bad"}
    assert await found(api) == {"bad", "clean", "odd"}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"final_disposition": "SPAM"}, {"spam"}),
        ({"final_disposition": "MALICIOUS"}, {"plain", "other"}),
        ({"sender": "MALLORY@evil.test"}, {"plain", "spam"}),
        ({"sender": "evil.test"}, {"plain", "spam"}),
        ({"recipient": "bo@corp.example"}, {"other"}),
        ({"recipient": "corp.example"}, {"plain", "spam", "other"}),
        ({"domain": "link-farm.test"}, {"plain", "spam", "other"}),
        ({"domain": "good.example"}, {"other"}),
        ({"subject": "due invoice"}, {"plain", "spam"}),
        ({"message_id": "<plain@mail.test>"}, {"plain"}),
        ({"alert_id": "alert-7"}, {"other"}),
        ({"delivery_status": "quarantined"}, {"other"}),
        ({"query": "hello WORLD"}, {"other"}),
        ({"query": "mallory invoice"}, {"plain", "spam"}),
        ({"smtp_helo_ip": "203.0.113.9"}, {"spam"}),
    ],
)
async def test_filters(api: Api, params: dict[str, str], expected: set[str]) -> None:
    """Each filter finds what it should and nothing else."""
    other: dict[str, Any] = {
        "from": "eve@good.example",
        "to": ["bo@corp.example"],
        "client_recipients": ["bo@corp.example"],
        "subject": "Hello world",
    }
    api.simulator.add(
        [
            line("plain"),
            line("spam", final_disposition="SPAM", smtp_helo_server_ip="203.0.113.9"),
            line("other", alert_id="alert-7", delivery_status=["quarantined"], **other),
        ]
    )
    assert await found(api, **params) == expected


async def test_message_action_finds_what_was_moved(api: Api) -> None:
    """`message_action=MOVED` finds moved messages."""
    api.simulator.add([line("a"), line("b")])
    await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["a"]})
    assert await found(api, message_action="MOVED") == {"a"}


async def test_get_detections_and_action_log(api: Api) -> None:
    """One message, its detections and its (empty) action log can be read.

    An id with a colon, encoded or not.
    """
    api.simulator.add([line("4x-2026-11-20T10:00:00-1")])
    for identity in ("4x-2026-11-20T10:00:00-1", "4x-2026-11-20T10%3A00%3A00-1"):
        assert (await api.result(f"/investigate/{identity}"))["id"] == "4x-2026-11-20T10:00:00-1"
        assert (await api.result(f"/investigate/{identity}/detections"))["action"] == "DELIVERED"
        assert await api.result(f"/investigate/{identity}/action_log") == []


@pytest.mark.parametrize("path", ["nix", "nix/detections", "nix/action_log", "clean/detections"])
async def test_unknown_messages_are_404(api: Api, path: str) -> None:
    """So are the detections of a clean message; both have a failure envelope."""
    api.simulator.add([line("clean", final_disposition="NONE")])
    answer = await api.get(f"/investigate/{path}")
    assert answer.status_code == 404
    assert answer.json()["success"] is False


async def test_submissions_are_another_datastore(api: Api) -> None:
    """A phish submission is in no regular search, and needs `submission=true`."""
    api.simulator.add([line("regular"), line("submitted", is_phish_submission=True)])
    assert await found(api) == {"regular"}
    assert (await api.get("/investigate/submitted")).status_code == 404
    assert (await api.result("/investigate/submitted", submission="true"))["id"] == "submitted"


@pytest.mark.parametrize(
    ("shape", "present", "absent"),
    [
        (Shape.NEW, {"ts", "action_log"}, {"findings", "sent_date"}),
        (Shape.OLD, {"ts", "action_log", "findings", "sent_date"}, set()),
        (Shape.LEAN, set(), {"ts", "action_log", "findings", "sent_date"}),
    ],
)
async def test_shapes(serve: Serve, shape: Shape, present: set[str], absent: set[str]) -> None:
    """Each shape sends its generation of names, before and after an action."""
    api = await serve(shape=shape)
    api.simulator.add([line("a", findings=[], sent_date="2026-11-20")])
    for _ in range(2):
        record = await api.result("/investigate/a")
        assert present <= record.keys()
        assert not absent & record.keys()
        await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["a"]})


async def test_broken_text_survives(api: Api) -> None:
    """Lone surrogates and control characters of a corpus survive as JSON."""
    api.simulator.add([line("a", subject="\ud83d broken \x00 \u2028")])
    answer = await api.get("/investigate/a")
    assert json.loads(answer.content)["result"]["subject"] == "\ud83d broken \x00 \u2028"


async def test_unknown_route_and_method(api: Api) -> None:
    """A wrong path is a 404 with code 7003, a wrong method a 405; both have an envelope."""
    wrong = await api.get("/investigation")
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (404, 7003)
    method = await api.send("DELETE", "/investigate")
    assert (method.status_code, method.json()["success"]) == (405, False)
