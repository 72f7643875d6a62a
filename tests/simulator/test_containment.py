"""Moving, reclassifying and releasing messages, and the ledger of it."""

from datetime import UTC, datetime, timedelta

import pytest

from clawback.simulator import BodyForm, MoveIdentity, Shape
from tests.simulator.conftest import Api, Serve, line


async def move(api: Api, ids: list[str], destination: str = "JunkEmail") -> list[dict[str, object]]:
    """Move messages and return the items."""
    answer = await api.post("/investigate/move", {"destination": destination, "ids": ids})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["result"]
    return items


async def test_move_changes_the_message(api: Api) -> None:
    """A move shows in the record, the action log and the ledger."""
    api.simulator.add([line("a")])
    items = await move(api, ["a"], "RecoverableItemsDeletions")

    assert [
        (item["success"], item["message_id"], item["recipient"], item["destination"])
        for item in items
    ] == [(True, "a", "ana@corp.example", "RecoverableItemsDeletions")]
    record = await api.result("/investigate/a")
    assert (record["post_delivery_operations"], record["delivery_status"]) == (["MOVE"], ["moved"])
    assert [entry["operation"] for entry in record["action_log"]] == ["MOVE"]
    log = await api.result("/investigate/a/action_log")
    assert [(entry["operation"], entry["properties"]["folder"]) for entry in log] == [
        ("MOVE", "RecoverableItemsDeletions")
    ]
    assert [
        {name: row[name] for name in ("seq", "operation", "resource", "id", "destination")}
        for row in await api.ledger()
    ] == [
        {
            "seq": 1,
            "operation": "move",
            "resource": "message",
            "id": "a",
            "destination": "RecoverableItemsDeletions",
        }
    ]


async def test_move_to_the_same_folder_changes_nothing(api: Api) -> None:
    """The move succeeds and adds no row."""
    api.simulator.add([line("a")])
    await move(api, ["a"])
    assert [item["success"] for item in await move(api, ["a"])] == [True]
    assert [item["success"] for item in await move(api, ["a"], "Inbox")] == [True]
    assert [row["destination"] for row in await api.ledger()] == ["JunkEmail", "Inbox"]
    assert len(await api.result("/investigate/a/action_log")) == 2


async def test_move_answers_per_recipient_and_per_unknown_id(api: Api) -> None:
    """One item per recipient, unknown id, and message without recipients; duplicates count once."""
    api.simulator.add(
        [
            line("two", client_recipients=["ana@corp.example", "bo@corp.example"]),
            line("none", client_recipients=[]),
        ]
    )
    items = await move(api, ["two", "nix", "none", "two"])
    assert [(item["message_id"], item["recipient"], item["success"]) for item in items] == [
        ("two", "ana@corp.example", True),
        ("two", "bo@corp.example", True),
        ("nix", None, False),
        ("none", None, True),
    ]
    assert [row["id"] for row in await api.ledger()] == ["two", "none"]


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (MoveIdentity.INVESTIGATE, "a"),
        (MoveIdentity.POSTFIX, "pf-a"),
        (MoveIdentity.HEADER, "<a@mail.test>"),
    ],
)
async def test_meaning_of_message_id(serve: Serve, identity: MoveIdentity, expected: str) -> None:
    """`message_id` in the response is the id that was chosen; the ledger has investigate ids."""
    api = await serve(move_identity=identity)
    api.simulator.add([line("a")])
    assert [item["message_id"] for item in await move(api, ["a"])] == [expected]
    assert [row["id"] for row in await api.ledger()] == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        {"destination": "Trash", "ids": ["a"]},
        {"ids": ["a"]},
        {"destination": "Inbox"},
        {"destination": "Inbox", "ids": []},
        {"destination": "Inbox", "ids": ["a"] * 1001},
        {"destination": "Inbox", "ids": [1]},
        {"destination": "Inbox", "postfix_ids": ["pf-a"]},
        ["a"],
    ],
)
async def test_invalid_moves_are_refused(api: Api, body: object) -> None:
    """An invalid move is a 400 and changes nothing."""
    api.simulator.add([line("a")])
    assert (await api.post("/investigate/move", body)).status_code == 400
    assert await api.ledger() == []


async def test_body_that_is_no_json_is_refused(api: Api) -> None:
    """A body that is not JSON is a 400."""
    answer = await api.client.post(
        f"{api.url}/accounts/acc/email-security/investigate/move", content=b"{"
    )
    assert answer.status_code == 400


async def test_move_of_a_thousand(api: Api) -> None:
    """A thousand ids are one request and a thousand rows."""
    api.simulator.add(line(f"m{number}") for number in range(1000))
    assert len(await move(api, [f"m{number}" for number in range(1000)])) == 1000
    rows = await api.ledger()
    assert len(rows) == 1000
    assert {row["request"] for row in rows} == {1}


async def test_single_move(api: Api) -> None:
    """The path names the message; an unknown one is a 404."""
    api.simulator.add([line("a")])
    assert (await api.post("/investigate/a/move", {"destination": "DeletedItems"})).json()[
        "result"
    ][0]["success"] is True
    assert (
        await api.post("/investigate/nix/move", {"destination": "DeletedItems"})
    ).status_code == 404


async def test_quarantined_message_cannot_be_moved(api: Api) -> None:
    """It is in no mailbox: its item has no success, and nothing changes."""
    api.simulator.add([line("q", is_quarantined=True)])
    assert [item["success"] for item in await move(api, ["q"])] == [False]
    assert await api.ledger() == []


async def test_the_old_shape_has_deprecated_names(serve: Serve) -> None:
    """The old shape accepts postfix ids and sends the deprecated fields."""
    api = await serve(shape=Shape.OLD)
    api.simulator.add([line("a"), line("b")])
    answer = await api.post(
        "/investigate/move", {"destination": "JunkEmail", "postfix_ids": ["pf-a", "pf-b"]}
    )
    assert [(item["success"], item["item_count"]) for item in answer.json()["result"]] == [
        (True, 1)
    ] * 2
    assert [row["id"] for row in await api.ledger()] == ["a", "b"]


async def test_reclassify_makes_a_submission_with_a_later_outcome(serve: Serve) -> None:
    """A 202 at once; the outcome arrives later and does not change the message."""
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    clock = [now]
    api = await serve(clock=lambda: clock[0], outcome_after=60, rate=None)
    api.simulator.add([line("a")])
    answer = await api.post("/investigate/a/reclassify", {"expected_disposition": "NONE"})
    assert (answer.status_code, answer.json()["result"]) == (202, {})

    clock[0] = now + timedelta(seconds=59)
    pending = (await api.result("/submissions"))[0]
    clock[0] = now + timedelta(seconds=60)
    decided = (await api.result("/submissions"))[0]

    assert (pending["outcome_disposition"], decided["outcome_disposition"]) == (None, "NONE")
    assert (decided["original_disposition"], decided["original_postfix_id"], decided["type"]) == (
        "MALICIOUS",
        "pf-a",
        "Team",
    )
    assert (await api.result("/investigate/a"))["final_disposition"] == "MALICIOUS"
    log = await api.result("/investigate/a/action_log")
    assert log[0]["properties"]["submission_id"] == decided["submission_id"]
    assert [(row["operation"], row["disposition"]) for row in await api.ledger()] == [
        ("reclassify", "NONE")
    ]


async def test_each_reclassify_is_a_new_submission(api: Api) -> None:
    """Two requests are two submissions and two rows, so a repeat shows."""
    api.simulator.add([line("a")])
    for _ in range(2):
        await api.post("/investigate/a/reclassify", {"expected_disposition": "SPAM"})
    assert len(await api.result("/submissions")) == 2
    assert len(await api.ledger()) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"expected_disposition": "MALICIOUS-BEC"},
        {"expected_disposition": "SPAM", "eml_content": "%%%"},
    ],
)
async def test_wrong_reclassifications_are_refused(api: Api, body: object) -> None:
    """Only the six dispositions and base64 are accepted."""
    api.simulator.add([line("a")])
    assert (await api.post("/investigate/a/reclassify", body)).status_code == 400


async def test_release_delivers_only_what_is_in_quarantine(api: Api) -> None:
    """A quarantined message is delivered once; any other is undelivered and stays as it is."""
    api.simulator.add([line("q", is_quarantined=True), line("a")])
    for delivered in (["ana@corp.example"], []):
        items = (await api.post("/investigate/release", {"ids": ["q", "a", "nix"]})).json()[
            "result"
        ]
        assert [item["id"] for item in items] == ["q", "a", "nix"]
        assert items[0]["delivered"] == delivered
        assert (items[1]["delivered"], items[1]["undelivered"]) == ([], ["ana@corp.example"])
        assert (items[2]["delivered"], items[2]["undelivered"]) == ([], [])
    record = await api.result("/investigate/q")
    assert (record["is_quarantined"], record["post_delivery_operations"]) == (
        False,
        ["QUARANTINE_RELEASE"],
    )
    assert [(row["operation"], row["id"]) for row in await api.ledger()] == [("release", "q")]


@pytest.mark.parametrize(
    ("form", "statuses"),
    [(BodyForm.EITHER, (200, 200)), (BodyForm.CURRENT, (200, 400)), (BodyForm.FORMER, (400, 200))],
)
async def test_disputed_release_body(
    serve: Serve, form: BodyForm, statuses: tuple[int, int]
) -> None:
    """The simulator accepts the release body that was chosen; any other is a 400."""
    api = await serve(release_body=form)
    api.simulator.add([line("q", is_quarantined=True)])
    answers = [await api.post("/investigate/release", body) for body in ({"ids": ["q"]}, ["q"])]
    assert tuple(answer.status_code for answer in answers) == statuses


async def test_a_message_that_arrives_again_keeps_its_folder(api: Api) -> None:
    """A message that arrives again, with another verdict, keeps its folder and action log."""
    api.simulator.add([line("a", final_disposition="SPAM")])
    await move(api, ["a"])
    api.simulator.add([line("a", final_disposition="MALICIOUS")])
    record = await api.result("/investigate/a")
    assert (
        record["final_disposition"],
        record["delivery_status"],
        record["action_log"][0]["operation"],
    ) == (
        "MALICIOUS",
        ["moved"],
        "MOVE",
    )
    await move(api, ["a"])
    assert len(await api.ledger()) == 1
