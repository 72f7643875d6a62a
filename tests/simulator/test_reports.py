"""PhishGuard reports and submissions."""

from typing import Any

import pytest

from clawback.simulator import Shape
from tests.simulator.conftest import Api, Serve

SINCE = "2026-01-01T00:00:00Z"


def report(number: int, at: str = "2026-11-20T10:00:00Z") -> dict[str, Any]:
    """Write a report as a corpus line."""
    fields = {"to": ["ana@corp.example"], "from": "mallory@evil.test", "postfix_id": f"pf-{number}"}
    record = {
        "id": number,
        "title": "t",
        "content": "c",
        "priority": "high",
        "disposition": "MALICIOUS",
        "fields": fields,
        "created_at": at,
    }
    return {"report": record}


def submission(identity: str, **fields: Any) -> dict[str, Any]:
    """Write a user's submission as a corpus line."""
    record = {
        "submission_id": identity,
        "requested_at": "2026-11-20T10:00:00Z",
        "subject": "Odd invoice",
        "type": "User",
    }
    return {"submission": record | fields}


async def test_reports_page_until_empty(api: Api) -> None:
    """Reports are newest first, page by page, without `result_info`."""
    api.simulator.add(report(number, f"2026-11-20T10:{number:02}:00Z") for number in range(5))
    seen = [
        await api.result("/phishguard/reports", start=SINCE, per_page=2, page=page)
        for page in (1, 2, 3, 4)
    ]
    assert [[record["id"] for record in page] for page in seen] == [[4, 3], [2, 1], [0], []]
    assert "result_info" not in (await api.get("/phishguard/reports")).json()


async def test_reports_without_paging_repeat_themselves(serve: Serve) -> None:
    """Without paging every page is the whole result."""
    api = await serve(page_reports=False)
    api.simulator.add(report(number) for number in range(3))
    assert [
        len(await api.result("/phishguard/reports", start=SINCE, per_page=1, page=page))
        for page in (1, 9)
    ] == [3, 3]


async def test_reports_by_time(api: Api) -> None:
    """`start` and `end` are a half-open range of the creation time."""
    api.simulator.add([report(1, "2026-11-20T10:00:00Z"), report(2, "2026-11-20T11:00:00Z")])
    found = await api.result(
        "/phishguard/reports", start="2026-11-20T10:00:00Z", end="2026-11-20T11:00:00Z"
    )
    assert [record["id"] for record in found] == [1]


@pytest.mark.parametrize("shape", [Shape.NEW, Shape.OLD])
async def test_times_of_reports_by_shape(serve: Serve, shape: Shape) -> None:
    """Only the old shape has the deprecated `ts` fields."""
    api = await serve(shape=shape)
    api.simulator.add([report(1), submission("s")])
    record = (await api.result("/phishguard/reports", start=SINCE))[0]
    made = (await api.result("/submissions", start=SINCE))[0]
    assert record["fields"]["occurred_at"] == record["created_at"] == "2026-11-20T10:00:00Z"
    assert ("ts" in record, "ts" in record["fields"], "requested_ts" in made) == (
        shape is Shape.OLD,
    ) * 3


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["team", "b", "a"]),
        ({"type": "TEAM"}, ["team"]),
        ({"type": "USER"}, ["b", "a"]),
        ({"submission_id": "b"}, ["b"]),
        ({"requested_disposition": "SPAM"}, ["b"]),
        ({"status": "escalated"}, ["a"]),
        ({"escalated_from_user": "true"}, ["a"]),
        ({"escalated_from_user": "false"}, ["team", "b"]),
        ({"query": "bank"}, ["team"]),
        ({"order": "subject", "direction": "asc"}, ["team", "a", "b"]),
        ({"end": "2026-11-20T10:00:00Z"}, []),
    ],
)
async def test_submissions_filter_and_order(
    api: Api, params: dict[str, str], expected: list[str]
) -> None:
    """Each filter and order works; the total counts everything."""
    api.simulator.add(
        [
            submission("a", customer_status="escalated", escalated_by="ana@corp.example"),
            submission("b", requested_disposition="SPAM"),
            submission(
                "team", type="Team", subject="Bank notice", requested_at="2026-11-21T10:00:00Z"
            ),
        ]
    )
    body = (await api.get("/submissions", **({"start": SINCE} | params))).json()
    assert [record["submission_id"] for record in body["result"]] == expected
    assert body["result_info"]["total_count"] == 3


@pytest.mark.parametrize(
    "params",
    [
        {"type": "Team"},
        {"status": "done"},
        {"order": "age"},
        {"requested_disposition": "MALICIOUS-BEC"},
    ],
)
async def test_wrong_submission_filters_are_refused(api: Api, params: dict[str, str]) -> None:
    """An invalid value is a 400."""
    assert (await api.get("/submissions", **params)).status_code == 400


async def test_escalation_links_the_user_submission(api: Api) -> None:
    """`escalated_submission_id` marks the user's submission and links the team's."""
    api.simulator.add([submission("mine"), {"message": {"id": "m"}}])
    body = {"expected_disposition": "MALICIOUS", "escalated_submission_id": "mine"}
    assert (await api.post("/investigate/m/reclassify", body)).status_code == 202
    found = {record["type"]: record for record in await api.result("/submissions", start=SINCE)}
    assert found["User"]["customer_status"] == "escalated"
    assert found["User"]["escalated_submission_id"] == found["Team"]["submission_id"]
