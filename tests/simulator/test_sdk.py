"""The official SDK, reading strictly, as an independent client over a real port.

What its strict models want beyond what is current: `ts` and `action_log` on messages. Both are past
their end of life and still required there and in the OpenAPI document, so the default shape sends
them; the lean shape does not, and the SDK refuses it.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import pytest
from cloudflare import (
    APIResponseValidationError,
    AsyncCloudflare,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
)
from cloudflare.types.email_security.settings.block_sender_batch_params import Post

from clawback.simulator import Line, Shape, TokenScope, demo_corpus, outbreak
from tests.simulator.conftest import Api, Serve, line

ACCOUNT = "acc"
ANY = "any"
SINCE = "2010-01-01T00:00:00Z"


def client_of(api: Api, token: str = ANY) -> AsyncCloudflare:
    """Give the SDK's client, strict and without retries of its own."""
    return AsyncCloudflare(
        api_token=token, base_url=api.url, max_retries=0, _strict_response_validation=True
    )


async def every(pages: AsyncIterable[Any]) -> list[Any]:
    """Iterate over all pages, bounded, since the SDK itself never knows the end."""
    async with asyncio.timeout(20):
        return [item async for item in pages]


async def test_whole_corpus_reads_strictly(api: Api, real_lines: list[Line]) -> None:
    """The SDK iterates over all 3,958 real messages by `page`, each once, and ends."""
    api.simulator.account.add(real_lines)
    async with client_of(api) as client:
        found = await every(
            client.email_security.investigate.list(account_id=ACCOUNT, start=SINCE, per_page=1000)
        )
    assert len({message.id for message in found}) == len(found) == 3958


async def test_investigate_life_cycle(api: Api) -> None:
    """The strict SDK reads list, get, detections, moves, reclassify and release."""
    lines = list(outbreak(3))
    ids = [entry["message"]["id"] for entry in lines]
    api.simulator.add([*lines, line("q", is_quarantined=True)])
    async with client_of(api) as client:
        investigate = client.email_security.investigate
        found = await every(
            investigate.list(
                account_id=ACCOUNT, start=SINCE, per_page=2, final_disposition="MALICIOUS"
            )
        )
        assert [message.id for message in found] == ["q"]
        assert (await investigate.get(ids[0], account_id=ACCOUNT)).scanned_at is not None
        detections = await investigate.detections.get(ids[0], account_id=ACCOUNT)
        assert detections is not None
        assert detections.findings
        moved = await every(
            investigate.move.bulk(
                account_id=ACCOUNT, destination="RecoverableItemsDeletions", ids=[*ids, "nix"]
            )
        )
        assert [item.success for item in moved] == [True, True, True, False]
        back = await every(investigate.move.create(ids[0], account_id=ACCOUNT, destination="Inbox"))
        assert [item.destination for item in back] == ["Inbox"]
        with pytest.warns(DeprecationWarning, match="deprecated"):
            await investigate.reclassify.create(
                ids[1], account_id=ACCOUNT, expected_disposition="MALICIOUS"
            )
        released = await every(investigate.release.bulk(account_id=ACCOUNT, ids=["q"]))
        assert [item.delivered for item in released] == [["ana@corp.example"]]
        after = await investigate.get(ids[1], account_id=ACCOUNT)
        assert [entry.operation for entry in after.action_log] == ["MOVE", "SUBMISSION"]
        submissions = await every(client.email_security.submissions.list(account_id=ACCOUNT))
        assert [item.requested_disposition for item in submissions] == ["MALICIOUS"]
    assert [row["operation"] for row in await api.ledger()] == ["move"] * 4 + [
        "reclassify",
        "release",
    ]


async def test_demo_reads_strictly(api: Api) -> None:
    """The strict models accept every message, detection and report of the demo."""
    api.simulator.add(demo_corpus())
    async with client_of(api) as client:
        security = client.email_security
        messages = await every(
            security.investigate.list(
                account_id=ACCOUNT, start=SINCE, per_page=10, detections_only=False
            )
        )
        assert len(messages) == len(api.simulator.account.mailboxes.by_id)
        for message in messages:
            if message.final_disposition != "NONE":
                await security.investigate.detections.get(message.id, account_id=ACCOUNT)
        reports = await every(security.phishguard.reports.list(account_id=ACCOUNT, per_page=2))
        assert (
            len({report.id for report in reports})
            == len(reports)
            == len(api.simulator.account.reports)
        )


async def test_block_senders_life_cycle(api: Api) -> None:
    """The strict SDK reads create, list, get, edit, batch and delete of a block."""
    async with client_of(api) as client:
        blocks = client.email_security.settings.block_senders
        created = await blocks.create(
            account_id=ACCOUNT,
            pattern="a@evil.test",
            pattern_type="EMAIL",
            is_regex=False,
            comments="ours",
        )
        assert created is not None
        assert created.id is not None
        assert [
            block.id
            for block in await every(blocks.list(account_id=ACCOUNT, pattern="a@evil.test"))
        ] == [created.id]
        edited = await blocks.edit(created.id, account_id=ACCOUNT, comments=None)
        assert edited is not None
        assert edited.comments is None
        fetched = await blocks.get(created.id, account_id=ACCOUNT)
        assert fetched is not None
        assert fetched.pattern == "a@evil.test"
        post: Post = {"pattern": "evil.test", "pattern_type": "DOMAIN", "is_regex": False}
        batch = await blocks.batch(
            account_id=ACCOUNT, deletes=[{"id": created.id}], patches=[], posts=[post], puts=[]
        )
        assert batch is not None
        assert batch.posts
        left = await every(blocks.list(account_id=ACCOUNT))
        assert [block.pattern for block in left] == ["evil.test"]
        await blocks.delete(left[0].id, account_id=ACCOUNT)
        with pytest.raises(NotFoundError):
            await blocks.delete(left[0].id, account_id=ACCOUNT)


async def test_errors_have_the_sdk_classes(serve: Serve) -> None:
    """Refusals are the SDK's own exceptions, with the errors of the envelope."""
    api = await serve(tokens={"w": TokenScope.WRITE, "r": TokenScope.READ}, refuse_duplicates=True)

    async def block(token: str, pattern: str) -> None:
        async with client_of(api, token) as client:
            settings = client.email_security.settings
            await settings.block_senders.create(
                account_id=ACCOUNT, pattern=pattern, pattern_type="EMAIL", is_regex=False
            )

    with pytest.raises(PermissionDeniedError):
        await block("r", "a@evil.test")
    with pytest.raises(BadRequestError) as refused:
        await block("w", "shein-survey-free")
    assert refused.value.errors[0].code is not None
    await block("w", "a@evil.test")
    with pytest.raises(ConflictError):
        await block("w", "a@evil.test")


async def test_lean_shape_is_not_strict(serve: Serve) -> None:
    """Without the fields past their end of life the strict SDK refuses a message.

    They are sent because it demands them.
    """
    api = await serve(shape=Shape.LEAN)
    api.simulator.add([line("a")])
    async with client_of(api) as client:
        with pytest.raises(APIResponseValidationError):
            await client.email_security.investigate.get("a", account_id=ACCOUNT)
