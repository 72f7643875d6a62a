"""Every kind of response conforms to the OpenAPI document."""

from typing import Any

import pytest

from clawback.simulator import Line, Shape, demo_corpus, parse_faults
from tests.simulator import openapi
from tests.simulator.conftest import Api, Serve, line

pytestmark = pytest.mark.skipif(
    not openapi.DOCUMENT.exists(), reason="the OpenAPI document is not here"
)

SINCE = "2010-01-01T00:00:00Z"
BLOCK = {"pattern": "a@evil.test", "pattern_type": "EMAIL", "is_regex": False}
ONE = "/investigate/{investigate_id}"
BLOCKS = "/settings/block_senders"


async def ask(
    api: Api, method: str, template: str, path: str | None = None, body: Any = None, **params: Any
) -> Any:
    """Send a request and check its answer; gives the result."""
    url = f"{api.url}/accounts/acc/email-security{path or template}"
    answer = await api.client.request(method, url, params=params, json=body)
    openapi.check(method.lower(), template, answer.status_code, answer.json())
    return answer.json()["result"]


@pytest.mark.parametrize("shape", [Shape.NEW, Shape.OLD])
async def test_messages_and_actions(serve: Serve, shape: Shape) -> None:
    """Searches, records, detections, logs, moves, submissions and releases, in both shapes."""
    api = await serve(shape=shape)
    api.simulator.add([*demo_corpus(), line("q", is_quarantined=True)])
    found = await ask(
        api, "GET", "/investigate", start=SINCE, per_page=1000, detections_only="false"
    )
    ids = [message["id"] for message in found if message["final_disposition"] != "NONE"]
    await ask(
        api, "POST", "/investigate/move", body={"destination": "JunkEmail", "ids": [*ids, "nix"]}
    )
    await ask(api, "POST", ONE + "/move", f"/investigate/{ids[0]}/move", {"destination": "Inbox"})
    await ask(
        api,
        "POST",
        ONE + "/reclassify",
        f"/investigate/{ids[0]}/reclassify",
        {"expected_disposition": "NONE"},
    )
    await ask(api, "POST", "/investigate/release", body={"ids": ["q", ids[0], "nix"]})
    await ask(api, "GET", "/investigate", start=SINCE, per_page=1000)
    for identity in (ids[0], "q"):
        await ask(api, "GET", ONE, f"/investigate/{identity}")
        await ask(api, "GET", ONE + "/detections", f"/investigate/{identity}/detections")
        assert await ask(api, "GET", ONE + "/action_log", f"/investigate/{identity}/action_log")
    assert await ask(api, "GET", "/phishguard/reports", start=SINCE)
    assert await ask(api, "GET", "/submissions")


async def test_real_messages(api: Api, real_lines: list[Line]) -> None:
    """A page of a thousand real messages conforms."""
    api.simulator.account.add(real_lines[:1000])
    assert len(await ask(api, "GET", "/investigate", start=SINCE, per_page=1000)) == 1000


async def test_blocks(api: Api) -> None:
    """Create, list, get, edit and delete of a block conform."""
    identity = (await ask(api, "POST", BLOCKS, body=BLOCK))["id"]
    await ask(api, "GET", BLOCKS)
    one = BLOCKS + "/{pattern_id}"
    await ask(api, "GET", one, f"{BLOCKS}/{identity}")
    await ask(api, "PATCH", one, f"{BLOCKS}/{identity}", {"comments": "x"})
    await ask(api, "DELETE", one, f"{BLOCKS}/{identity}")


async def test_refusals(serve: Serve) -> None:
    """400, 404, 409 and 429 have the documented failure envelope."""
    api = await serve(refuse_duplicates=True)
    assert await ask(api, "GET", "/investigate", start="2999-01-01T00:00:00Z") is None
    await ask(api, "GET", ONE, "/investigate/nix")
    await ask(api, "POST", BLOCKS, body=BLOCK | {"pattern": "nope"})
    await ask(api, "POST", BLOCKS, body=BLOCK)
    await ask(api, "POST", BLOCKS, body=BLOCK)
    api.simulator.account.faults.rates = parse_faults("429=1")
    await ask(api, "GET", "/investigate")
    assert [row["status"] for row in await api.sim("/requests")] == [400, 404, 400, 201, 409, 429]


async def test_pending_search(serve: Serve) -> None:
    """The 202 of a pending search conforms."""
    api = await serve(faults=parse_faults("search_202=1"))
    assert await ask(api, "GET", "/investigate", start=SINCE) == []
    assert (await api.sim("/requests"))[0]["status"] == 202


def test_the_check_itself_can_fail() -> None:
    """The check refuses a message without an id, and a null where none is allowed."""
    envelope: dict[str, Any] = {"success": True, "errors": [], "messages": []}
    with pytest.raises(AssertionError, match="'id' is a required property"):
        openapi.check("get", ONE, 200, envelope | {"result": {"postfix_id": "x"}})
    with pytest.raises(AssertionError, match="None is not of type"):
        openapi.check("get", ONE + "/action_log", 200, envelope | {"result": None})
