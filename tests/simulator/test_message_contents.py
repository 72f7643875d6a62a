"""Previews, raw messages and traces; submissions by alert id."""

import base64
from typing import Any

import pytest

from clawback.simulator import BodyForm, Line, ReviewVerdict, Shape, demo_corpus
from tests.simulator import openapi
from tests.simulator.conftest import Api, Serve, line
from tests.simulator.test_sdk import ACCOUNT, client_of

PNG = b"\x89PNG\r\n\x1a\n"


async def test_contents_through_the_sdk(api: Api) -> None:
    """The strict SDK reads both previews, raw and trace; only the requested preview is logged."""
    api.simulator.add([line("a"), line("clean", final_disposition="NONE")])
    async with client_of(api) as client:
        investigate = client.email_security.investigate
        assert base64.b64decode(
            (await investigate.preview.get("a", account_id=ACCOUNT)).screenshot
        ).startswith(PNG)
        assert base64.b64decode(
            (await investigate.preview.create(account_id=ACCOUNT, id="clean")).screenshot
        ).startswith(PNG)
        assert "body of a" in (await investigate.raw.get("a", account_id=ACCOUNT)).raw
        trace = await investigate.trace.get("clean", account_id=ACCOUNT)
        assert [entry.lineno for entry in trace.inbound.lines or ()] == [1, 2, 3]
    assert [entry["operation"] for entry in await api.result("/investigate/clean/action_log")] == [
        "PREVIEW"
    ]
    assert await api.ledger() == []


async def test_bodies_of_clean_mail_are_not_kept(api: Api) -> None:
    """Preview and raw of a clean message are a 404; its trace exists."""
    api.simulator.add([line("clean", final_disposition="NONE"), line("moved")])
    await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["moved"]})
    statuses = [
        (await api.get(f"/investigate/clean/{part}")).status_code
        for part in ("preview", "raw", "trace")
    ]
    assert statuses == [404, 404, 200]
    assert (await api.post("/investigate/preview", {"id": "moved"})).status_code == 404


@pytest.mark.parametrize(
    ("form", "statuses"),
    [
        (BodyForm.EITHER, (200, 200, 400)),
        (BodyForm.CURRENT, (200, 400, 400)),
        (BodyForm.FORMER, (400, 200, 400)),
    ],
)
async def test_disputed_preview_body(
    serve: Serve, form: BodyForm, statuses: tuple[int, int, int]
) -> None:
    """The simulator accepts the preview body that was chosen: by id, by postfix id, or either."""
    api = await serve(preview_body=form)
    api.simulator.add([line("a")])
    bodies: tuple[dict[str, str], ...] = ({"id": "a"}, {"postfix_id": "pf-a"}, {})
    assert (
        tuple([(await api.post("/investigate/preview", body)).status_code for body in bodies])
        == statuses
    )


@pytest.mark.skipif(not openapi.DOCUMENT.exists(), reason="the OpenAPI document is not here")
@pytest.mark.parametrize("shape", [Shape.NEW, Shape.OLD])
async def test_answers_are_as_documented(serve: Serve, shape: Shape) -> None:
    """Preview, raw, trace and submissions conform to the OpenAPI document."""
    api = await serve(shape=shape)
    api.simulator.add([line("a", alert_id="alert-a")])
    for part in ("preview", "raw", "trace"):
        answer = await api.get(f"/investigate/a/{part}")
        openapi.check("get", "/investigate/{investigate_id}/" + part, 200, answer.json())
    openapi.check(
        "post",
        "/investigate/preview",
        200,
        (await api.post("/investigate/preview", {"id": "a"})).json(),
    )
    body = {
        "type": "reclassification",
        "messages": [{"alert_id": "alert-a", "expected_disposition": "NONE"}],
    }
    answer = await api.post("/submissions", body)
    openapi.check("post", "/submissions", answer.status_code, answer.json())


async def test_raw_of_real_messages(api: Api, real_lines: list[Line]) -> None:
    """Raw works for every real message, however broken its headers."""
    account = api.simulator.account
    account.add(real_lines[::20])
    for identity in account.mailboxes.by_id:
        answer = await api.get(f"/investigate/{identity}/raw")
        assert answer.status_code == 200, identity


async def test_submission_by_alert_id(serve: Serve) -> None:
    """A reclassification by alert id adds a submission, decided as configured, and one row."""
    for verdict, expected in (
        (ReviewVerdict.ACCEPTED, "NONE"),
        (ReviewVerdict.REJECTED, "MALICIOUS"),
    ):
        api = await serve(verdict=verdict, outcome_after=0)
        api.simulator.add([line("a", alert_id="alert-a")])
        body = {
            "type": "reclassification",
            "messages": [{"alert_id": "alert-a", "expected_disposition": "NONE"}],
        }
        assert (await api.post("/submissions", body)).status_code == 202
        found = (await api.result("/submissions"))[0]
        assert (found["outcome"], found["outcome_disposition"], found["original_postfix_id"]) == (
            verdict,
            expected,
            "pf-a",
        )
        assert [
            (row["operation"], row["id"], row["disposition"]) for row in await api.ledger()
        ] == [("reclassify", "a", "NONE")]


async def test_missed_detection(api: Api) -> None:
    """A missed detection of an unknown message adds a submission without a message."""
    assert (
        await api.post(
            "/submissions", {"type": "missed_detection", "messages": [{"eml_content": "x"}]}
        )
    ).status_code == 202
    assert [record["original_postfix_id"] for record in await api.result("/submissions")] == [None]
    assert [row["resource"] for row in await api.ledger()] == ["submission"]


@pytest.mark.parametrize(
    "body",
    [
        {"type": "praise", "messages": [{}]},
        {"type": "reclassification", "messages": []},
        {"type": "reclassification", "messages": [{"alert_id": "alert-a"}]},
        {
            "type": "reclassification",
            "messages": [
                {"alert_id": "alert-a", "expected_disposition": "SPAM"},
                {"alert_id": "nix", "expected_disposition": "SPAM"},
            ],
        },
    ],
)
async def test_wrong_submissions_are_refused_whole(api: Api, body: dict[str, Any]) -> None:
    """One invalid item refuses the whole request."""
    api.simulator.add([line("a", alert_id="alert-a")])
    assert (await api.post("/submissions", body)).status_code == 400
    assert await api.result("/submissions") == []
    assert await api.ledger() == []


async def test_demo_alert_ids_are_known(api: Api) -> None:
    """Every detection of the demo can be submitted by its alert id."""
    api.simulator.add(demo_corpus())
    alerts = [
        mail.alert_id for mail in api.simulator.account.mailboxes.by_id.values() if mail.alert_id
    ]
    items = [{"alert_id": alert, "expected_disposition": "MALICIOUS"} for alert in alerts]
    assert (
        await api.post("/submissions", {"type": "reclassification", "messages": items})
    ).status_code == 202
    assert len(await api.ledger()) == len(alerts) > 20
