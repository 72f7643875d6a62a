"""Cases over the API: lists, one case, decisions, undo; against a real server and simulator."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from starlette.requests import Request
from temporalio.client import Client

from clawback.cases import CasePlan, CaseState
from clawback.console.access.who import Visitor
from clawback.console.api.idempotency import REPLAYED
from clawback.model.identity import Role
from clawback.model.mode import Mode
from tests.console.api.running_api import LINES, RunningApi, running_api, visit
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import match_of
from tests.workflows.test_approvals import DOMAIN, held, plan


async def hold(api: RunningApi, group: str = "x", **said: Any) -> tuple[str, str]:
    """Let a case be held; its id in the API and its digest."""
    told = plan(group={"edf_hash": group}, **said)
    digest = await held(api.deployment, told, LINES[:2])
    return told.case_id.removeprefix("case/"), digest


async def act(api: RunningApi) -> tuple[str, CasePlan]:
    """Let a case move its messages; its id in the API and its plan."""
    told = plan(mode=Mode.ENFORCE, group={"edf_hash": "acted"})
    await api.deployment.signal_case(told, *map(match_of, LINES[:2]))
    await api.deployment.settled(told.case_id)
    return told.case_id.removeprefix("case/"), told


async def undo_plan(api: RunningApi, id_: str, messages: int = 2) -> dict[str, Any]:
    """Plan an undo once the index knows what the case did."""

    async def there() -> dict[str, Any] | None:
        answer = await api.analyst.post(f"cases/{id_}/undo", json={"dry_run": True})
        plan: dict[str, Any] = answer.json()["plan"]
        return plan if plan["messages"] == messages else None

    return await eventually(there)


async def listed(api: RunningApi, count: int, **asked: str) -> list[dict[str, Any]]:
    """List cases once the index knows so many; a small page at a time."""

    async def there() -> list[dict[str, Any]] | None:
        found = await pages(api.viewer, "cases", **asked)
        return found if len(found) == count else None

    return await eventually(there)


async def pages(client: httpx.AsyncClient, path: str, **asked: str) -> list[dict[str, Any]]:
    """Read all pages of a list."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={**asked, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def test_a_case_is_found_shown_approved_and_undone(api: RunningApi) -> None:
    """The whole way of a program that answers for people."""
    id_, digest = await hold(api)
    (item,) = await listed(api, 1, state="held")
    assert (item["id"], item["digest"], item["messages"]) == (id_, digest, 2)
    assert item["subject"]
    assert item["hold"]["reason"] == "the rule asks for approval"

    shown = (await api.viewer.get(f"cases/{item['short_id']}")).json()
    assert shown["id"] == id_
    assert shown["proposal"] == {
        "digest": digest,
        "actions": shown["proposal"]["actions"],
        "messages": 2,
        "needs": 1,
        "missing": 1,
    }

    body = {"digest": digest, "reason": "seen"}
    answer = await api.analyst.post(f"cases/{id_}/approve", json=body)
    assert answer.json() == {"case": id_, "state": "responding"}
    await api.deployment.settled(f"case/{id_}")
    details = (await api.viewer.get(f"cases/case/{id_}")).json()
    assert details["decision"]["by"] == ["token analyst of a test"]

    dry = await undo_plan(api, id_)
    assert not [row for row in api.deployment.ledger if row.get("to") == "Inbox"]
    order = {"digest": dry["digest"], "reason": "wrong"}
    answer = await api.analyst.post(f"cases/{id_}/undo", json=order)
    undone = answer.json()
    assert answer.status_code in {200, 202}

    async def done() -> dict[str, Any] | None:
        state: dict[str, Any] = (await api.viewer.get(f"undos/{undone['id']}")).json()
        return state if state["state"] == "done" else None

    assert (await eventually(done))["counts"]["done"] == 2


async def test_messages_come_in_pages(api: RunningApi) -> None:
    """With what became of each."""
    id_, _ = await act(api)
    details = (await api.viewer.get(f"cases/{id_}")).json()
    assert details["outcomes"] == [{"action": "move", "outcomes": {"moved": 2}}]
    assert details["state"] == CaseState.SETTLED
    found = await pages(api.viewer, f"cases/{id_}/messages", limit="1")
    assert len(found) == 2
    assert {message["outcomes"]["move"] for message in found} == {"moved"}
    assert all(message["mailbox"] and message["subject"] for message in found)


async def test_an_earlier_campaign_is_read_by_its_run(api: RunningApi) -> None:
    """With its messages; a run that nobody keeps is not found."""
    id_, told = await act(api)
    first = (await api.viewer.get(f"cases/{id_}")).json()["run"]
    await api.deployment.client.get_workflow_handle(told.case_id).terminate("a mistake")
    await api.deployment.signal_case(told, match_of(LINES[2]))

    async def reopened() -> bool | None:
        found = (await api.viewer.get(f"cases/{id_}")).json()
        return (found["run"] != first and found["state"] == CaseState.SETTLED) or None

    await eventually(reopened)
    earlier = (await api.viewer.get(f"cases/{id_}", params={"run": first[:8]})).json()
    assert (earlier["run"], earlier["state"], earlier["messages"]) == (first, "terminated", 2)
    path = f"cases/{id_}/messages"
    assert len(await pages(api.viewer, path, run=first[:8], limit="1")) == 2
    assert len(await pages(api.viewer, path)) == 1
    for wanted in (f"cases/{id_}", path):
        assert (await api.viewer.get(wanted, params={"run": "ffffffff"})).status_code == 404


async def test_an_old_digest_approves_nothing(api: RunningApi) -> None:
    """The answer has the current one."""
    id_, digest = await hold(api)
    told = plan(group={"edf_hash": "x"})
    await api.deployment.signal_case(told, match_of(LINES[2]))

    async def grown() -> str | None:
        current = (await api.deployment.cases.proposal(told.case_id)).digest
        return current if current != digest else None

    current = await eventually(grown)
    answer = await api.analyst.post(f"cases/{id_}/approve", json={"digest": digest})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["digest"] == current
    assert "changed since it was shown" in problem["detail"]
    assert (await api.viewer.get(f"cases/{id_}")).json()["state"] == "held"


async def test_a_denial_may_name_what_was_shown(api: RunningApi) -> None:
    """With another digest it denies nothing; without one, whatever is proposed."""
    id_, _ = await hold(api)
    wrong = await api.analyst.post(f"cases/{id_}/deny", json={"digest": "9-0123456789ab"})
    assert wrong.status_code == 409
    denied = await api.analyst.post(f"cases/{id_}/deny", json={"reason": "own newsletter"})
    assert denied.json()["state"] == "denied"


async def test_a_repeat_under_one_key_gets_the_first_answer(api: RunningApi) -> None:
    """Also at the same moment, and after this process has forgotten."""
    id_, digest = await hold(api)
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"digest": digest}
    first, *others = await asyncio.gather(
        *(api.analyst.post(f"cases/{id_}/approve", json=body, headers=headers) for _ in range(3))
    )
    assert {one.status_code for one in (first, *others)} == {200}
    assert len({one.text for one in (first, *others)}) == 1

    async def approvals() -> int | None:
        records = [one for one in api.deployment.audit() if one.kind == "approved"]
        return len(records) or None

    assert await eventually(approvals) == 1
    async with api.replica(Role.ANALYST) as elsewhere:
        late = await elsewhere.post(f"cases/{id_}/approve", json=body, headers=headers)
    assert (late.status_code, late.text) == (200, first.text)
    assert REPLAYED not in late.headers

    changed = await api.analyst.post(
        f"cases/{id_}/approve", json={**body, "reason": "other"}, headers=headers
    )
    assert changed.status_code == 422
    assert changed.json()["errors"][0]["place"] == "header.Idempotency-Key"


async def test_a_replayed_approval_without_a_key_counts_for_nothing(api: RunningApi) -> None:
    """The case is decided, and the answer says by whom."""
    id_, digest = await hold(api)
    assert (await api.analyst.post(f"cases/{id_}/approve", json={"digest": digest})).is_success
    again = await api.analyst.post(f"cases/{id_}/approve", json={"digest": digest})
    assert again.status_code == 409
    assert "approved by token analyst of a test" in again.json()["detail"]


async def test_a_repeated_undo_is_one_undo(api: RunningApi) -> None:
    """Another replica answers with the undo that the first one started."""
    id_, _ = await act(api)
    await undo_plan(api, id_)
    headers = {"Idempotency-Key": "k1"}
    first = await api.analyst.post(f"cases/{id_}/undo", json={}, headers=headers)
    again = await api.analyst.post(f"cases/{id_}/undo", json={}, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers[REPLAYED] == "true"

    async with api.replica(Role.ANALYST) as elsewhere:
        late = await elsewhere.post(f"cases/{id_}/undo", json={}, headers=headers)
    assert late.json()["id"] == first.json()["id"]
    assert REPLAYED not in late.headers


async def test_an_undo_of_something_else_is_refused(api: RunningApi) -> None:
    """The answer has the plan as it is now."""
    id_, _ = await act(api)
    await undo_plan(api, id_)
    order = {"digest": "1-0123456789ab"}
    answer = await api.analyst.post(f"cases/{id_}/undo", json=order)
    assert answer.status_code == 409
    assert answer.json()["plan"]["messages"] == 2


async def test_malicious_mail_returns_only_if_two_people_want_it(
    temporal: Client, tmp_path: Path
) -> None:
    """A token is refused at once; a person gets an undo that is held."""

    async def read_session(request: Request) -> Visitor | None:
        return visit("ana") if request.cookies.get("session") else None

    async with running_api(temporal, tmp_path, read_session, judges_undo=True) as api:
        id_, _ = await act(api)
        plan_ = await undo_plan(api, id_)
        assert plan_["second_person"]
        refused = await api.operator.post(f"cases/{id_}/undo", json={})
        assert refused.status_code == 403
        assert "needs two people" in refused.json()["detail"]

        cookie = {"Cookie": "session=ana"}
        answer = await api.nobody.post(f"cases/{id_}/undo", json={}, headers=cookie)
        assert (answer.status_code, answer.json()["state"]) == (202, "held")
        assert answer.json()["held_for"]


async def test_people_note_what_they_know(api: RunningApi) -> None:
    """A comment and an assignment, each once for repeats under one key; a closed case has none."""
    id_, _ = await hold(api)
    headers = {"Idempotency-Key": "k1"}
    for _ in range(2):
        said = await api.analyst.post(
            f"cases/{id_}/comment", json={"text": "asked the bank"}, headers=headers
        )
        assert said.json() == {"case": id_, "assignee": None, "comment": 1}
    taken = await api.analyst.post(f"cases/{id_}/assign", json={"to": "me"})
    assert taken.json()["assignee"] == "token analyst of a test"
    (note,) = (await api.viewer.get(f"cases/{id_}")).json()["notes"]
    assert (note["text"], note["author"]) == ("asked the bank", "token analyst of a test")
    given = await api.analyst.post(f"cases/{id_}/assign", json={"to": "nobody"})
    assert given.json()["assignee"] is None


async def test_two_people_means_two_people(api: RunningApi) -> None:
    """A token is neither of them, and the answer says who can."""
    id_, digest = await hold(api, mode=Mode.ENFORCE, actions=(DOMAIN,))
    answer = await api.operator.post(f"cases/{id_}/approve", json={"digest": digest})
    assert answer.status_code == 403
    assert "needs 2 people" in answer.json()["detail"]
    await api.deployment.cases.approve(f"case/{id_}", person("ana"), digest)
    assert (await api.viewer.get(f"cases/{id_}")).json()["proposal"]["missing"] == 1


async def test_versions_tell_whether_a_case_has_changed(api: RunningApi) -> None:
    """304 for what is known, 412 for a decision about an older version."""
    id_, digest = await hold(api)
    first = await api.viewer.get(f"cases/{id_}")
    version = first.headers["etag"]
    same = await api.viewer.get(f"cases/{id_}", headers={"If-None-Match": version})
    assert (same.status_code, same.content) == (304, b"")

    stale = {"If-Match": '"0123456789abcdef"'}
    body = {"digest": digest}
    refused = await api.analyst.post(f"cases/{id_}/approve", json=body, headers=stale)
    assert refused.status_code == 412
    assert refused.json()["etag"] == version
    taken = await api.analyst.post(f"cases/{id_}/approve", json=body, headers={"If-Match": version})
    assert taken.status_code == 200
    after = await api.viewer.get(f"cases/{id_}", headers={"If-None-Match": version})
    assert after.status_code == 200


async def test_no_case_is_skipped_while_others_open_and_close(api: RunningApi) -> None:
    """One may come twice, if it closes between two pages."""
    known = {(await hold(api, f"{number}"))[0] for number in range(6)}
    await listed(api, 6)
    found: list[str] = []
    cursor: dict[str, str] = {}
    for turn in range(20):
        answer = await api.viewer.get("cases", params={"limit": "2", **cursor})
        page = answer.json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        if turn == 0:
            await hold(api, "new")
            await api.analyst.post(f"cases/{found[0]}/deny", json={})
    assert known <= set(found)


async def test_cases_are_filtered_by_what_they_touch(api: RunningApi) -> None:
    """By mailbox, sender, message and rule."""
    id_, _ = await hold(api)
    message = LINES[0]["message"]
    await listed(api, 1, message=message["id"] if "id" in message else LINES[0]["id"])
    await listed(api, 0, rule="another")
    await listed(api, 1, rule="r")
    (item,) = await listed(api, 1, state="held")
    await listed(api, 1, sender=item["sender"])
    await listed(api, 0, sender="nobody@nowhere.example")
    assert item["id"] == id_


async def test_a_later_campaign_is_not_shown_for_an_earlier_one(api: RunningApi) -> None:
    """A link with its run stays right."""
    id_, _ = await hold(api)
    run = (await api.viewer.get(f"cases/{id_}")).json()["run"]
    assert (await api.viewer.get(f"cases/{id_}", params={"run": run[:8]})).status_code == 200
    gone = await api.viewer.get(f"cases/{id_}", params={"run": "00000000"})
    assert gone.status_code == 404


async def test_the_history_has_what_was_done(api: RunningApi) -> None:
    """And what was denied, each apart."""
    acted, _ = await act(api)
    denied, _ = await hold(api, "denied")
    await api.analyst.post(f"cases/{denied}/deny", json={})

    async def there() -> bool | None:
        done = await pages(api.viewer, "history")
        refused = await pages(api.viewer, "history", kind="denied")
        ids = [item["id"] for item in done], [item["id"] for item in refused]
        return ids == ([acted], [denied]) or None

    await eventually(there)


async def test_an_unknown_case_is_a_404(api: RunningApi) -> None:
    """Whatever is asked of it."""
    for id_ in ("0123", "r/0123456789abcdef", "case/r/0123456789abcdef"):
        answers = [
            await api.viewer.get(f"cases/{id_}"),
            await api.viewer.get(f"cases/{id_}/messages"),
            await api.analyst.post(f"cases/{id_}/approve", json={"digest": "1-0123456789ab"}),
            await api.analyst.post(f"cases/{id_}/deny", json={}),
            await api.analyst.post(f"cases/{id_}/undo", json={}),
        ]
        assert [answer.status_code for answer in answers] == [404] * 5, id_
        assert answers[0].json()["status"] == 404
