"""Single operations: request bodies, disputed forms, argument checks."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from clawback.cloudflare import (
    Batch,
    EmailSecurity,
    InvalidRequest,
    NotFound,
    Resubmission,
    Share,
    Unavailable,
    UnknownOutcome,
)
from tests.cloudflare.support import (
    IID,
    WINDOW,
    always,
    body_of,
    client,
    envelope,
    recording,
    refusal,
)

OLD, NEW = [IID], {"ids": [IID]}


class Disputed:
    """A server that accepts only one of the two release bodies."""

    def __init__(self, takes: type, status: int = 400) -> None:
        self.takes = takes
        self.status = status
        self.bodies: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(body_of(request))
        if not isinstance(self.bodies[-1], self.takes):
            return refusal(self.status, (1000, "wrong body"))
        return envelope([{"id": IID, "delivered": ["a@b.test"]}])


async def test_the_newest_body_of_a_release_goes_first() -> None:
    """A current server costs one request."""
    server = Disputed(dict)
    assert (await client(server).release([IID]))[0].is_complete
    assert server.bodies == [NEW]


@pytest.mark.parametrize("status", [400, 422])
async def test_an_older_body_is_tried_once_and_remembered(status: int) -> None:
    """An older server costs one extra request; a change of server is noticed."""
    server = Disputed(list, status)
    api = client(server)
    await api.release([IID])
    await api.on(Share.UNDO).release([IID])
    assert server.bodies == [NEW, OLD, OLD]
    server.takes = dict
    await api.release([IID])
    await api.release([IID])
    assert server.bodies[3:] == [OLD, NEW, NEW]


async def test_a_release_that_is_refused_in_both_forms_tells_the_first_reason() -> None:
    """Neither form is remembered."""
    server = Disputed(str)
    api = client(server)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="wrong body"):
            await api.release([IID])
    assert server.bodies == [NEW, OLD, NEW, OLD]


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, InvalidRequest), (500, UnknownOutcome)]
)
async def test_no_other_failure_is_tried_again(status: int, kind: type[Exception]) -> None:
    """A release may deliver, so an unclear failure is not repeated in another form."""
    server = Disputed(str, status)
    with pytest.raises(kind):
        await client(server).release([IID])
    assert server.bodies == [NEW]


async def test_a_preview_of_clean_mail_falls_back_to_the_postfix_id() -> None:
    """Current clients send the investigate id, older servers want the postfix id."""
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(body_of(request))
        return envelope({"screenshot": "aGk="}) if "postfix_id" in bodies[-1] else refusal(422)

    assert await client(answer).make_preview(IID) == "aGk="
    assert bodies == [{"id": IID}, {"postfix_id": "4Njp3P0STMz2c02Q"}]


async def test_a_batch_always_carries_all_its_lists() -> None:
    """All four kinds are always sent, with ids inside the items."""
    requests: list[httpx.Request] = []
    answer = envelope(
        {"deletes": [{"id": "d"}], "patches": [{"id": "p"}], "posts": [{"id": 7}], "puts": None}
    )
    done = await recording(requests, answer).settings.block_senders.batch(
        Batch(deletes=["d"], patches={"p": {"comments": "c"}})
    )
    assert body_of(requests[0]) == {
        "deletes": [{"id": "d"}],
        "patches": [{"comments": "c", "id": "p"}],
        "puts": [],
        "posts": [],
    }
    assert (
        done.deletes,
        [item.id for item in done.patches],
        [item.id for item in done.posts],
        done.puts,
    ) == (("d",), ["p"], ["7"], ())


@pytest.mark.parametrize("result", [None, [], "x", {"patches": "x"}])
async def test_a_batch_whose_answer_cannot_be_read_is_unknown(result: Any) -> None:
    """It may have been executed."""
    with pytest.raises(UnknownOutcome):
        await always(envelope(result)).settings.trusted_domains.batch(Batch(deletes=["d"]))


async def test_writing_is_strict_before_anything_is_sent() -> None:
    """Invalid arguments raise without a request."""
    requests: list[httpx.Request] = []
    api = recording(requests, envelope([]))
    settings = api.settings
    wrong: list[Callable[[], Awaitable[object]]] = [
        lambda: api.release([]),
        lambda: api.move([], "Inbox"),
        lambda: api.move([IID] * 1001, "Inbox"),
        lambda: api.move([IID], "Nowhere"),
        lambda: api.move_one(IID, "inbox"),
        lambda: api.move_one("", "Inbox"),
        lambda: api.move_all("Nowhere", comment="c"),
        lambda: api.reclassify(IID, "MALICIOUS-BEC"),
        lambda: api.submit([]),
        lambda: api.submit([Resubmission("a", "nothing")]),
        lambda: api.messages(start=WINDOW["start"].replace(tzinfo=None), end=WINDOW["end"]),
        lambda: api.messages(**WINDOW, per_page=1001),
        lambda: api.delete_block_sender(""),
        lambda: api.create_block_sender(pattern="", pattern_type="EMAIL", comments=""),
        lambda: api.create_block_sender(pattern="a@b.test", pattern_type="email", comments=""),
        lambda: api.create_block_sender(
            pattern="a@b.test", pattern_type="EMAIL", comments="x" * 1025
        ),
        lambda: settings.block_senders.edit("x"),
        lambda: settings.trusted_domains.edit("x", pattern="x" * 1025),
        lambda: settings.block_senders.batch(Batch()),
        lambda: settings.block_senders.batch(Batch(deletes=["x"] * 1001)),
        lambda: settings.impersonation_registry.batch(Batch(deletes=["x"])),
        lambda: settings.sending_domain_restrictions.batch(Batch(posts=[{"domain": "x"}])),
    ]
    for call in wrong:
        with pytest.raises(ValueError, match=r".+"):
            await call()
    assert requests == []


async def test_a_field_that_is_none_clears_and_one_not_given_is_left_alone() -> None:
    """An edit sends exactly the given fields."""
    requests: list[httpx.Request] = []
    await recording(requests, envelope({"id": "x"})).settings.allow_policies.edit(
        "x", comments=None, verify_sender=False
    )
    assert (requests[0].method, body_of(requests[0])) == (
        "PATCH",
        {"comments": None, "verify_sender": False},
    )


async def test_a_cancelled_job_may_be_cancelled_again() -> None:
    """Cancelling is idempotent, so a lost response is not an unknown outcome."""
    with pytest.raises(Unavailable):
        await always(httpx.Response(502)).cancel_job("j")


async def test_a_job_whose_answer_was_lost_is_unknown() -> None:
    """A second job would act twice; the comment finds the first."""
    with pytest.raises(UnknownOutcome):
        await always(httpx.Response(502)).move_all("JunkEmail", comment="clawback/1", **WINDOW)


async def test_the_mail_itself_travels_as_base64() -> None:
    """A reclassification of clean mail carries the mail."""
    requests: list[httpx.Request] = []
    api: EmailSecurity = recording(requests, envelope({}, 202))
    await api.reclassify(IID, "MALICIOUS", eml=b"From: \xff", escalated_submission_id="s")
    assert body_of(requests[0]) == {
        "expected_disposition": "MALICIOUS",
        "eml_content": "RnJvbTog/w==",
        "escalated_submission_id": "s",
    }
