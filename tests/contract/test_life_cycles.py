"""The life cycles of policies, bulk jobs and message contents, checked against the document."""

from typing import Any

import pytest

from clawback.cloudflare import InvalidRequest, NotFound, Resubmission, pages
from clawback.cloudflare.account_settings.policy_list import PolicyList
from clawback.simulator import BodyForm, Shape
from tests.contract.checked_client import last_hour, mail, on_simulator
from tests.contract.openapi import needs_document
from tests.contract.test_requests import POLICIES

pytestmark = needs_document
ONE = "POST1-2026-11-22T10:00:00-1"


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("kind", POLICIES)
async def test_life_cycle_of_a_policy(kind: str, shape: Shape) -> None:
    """Created, listed, read, changed, deleted, gone; in every generation of field names."""
    made, changed, _ = POLICIES[kind]
    async with on_simulator(shape=shape) as (api, simulator, checker):
        policies: Any = getattr(api.settings, kind)
        assert isinstance(getattr(api.settings, kind), PolicyList)
        new = await policies.create(**made)
        assert {name: new.record[name] for name in made} == made
        assert [item.id async for page in pages(policies.list) for item in page.items] == [new.id]
        after = await policies.edit(new.id, **changed)
        assert {name: after.record[name] for name in changed} == changed
        assert (await policies.get(new.id)).modified_at is not None
        await policies.delete(new.id)
        with pytest.raises(NotFound):
            await policies.get(new.id)
        assert [row["operation"] for row in simulator.account.ledger.since(0)] == [
            "create",
            "edit",
            "delete",
        ]
    # The document spells a domain's status in lower case, the SDK's models (and so the simulator)
    # in upper case (reference §4.3).
    unknown = [
        text
        for text in checker.problems
        if not (kind == "domains" and ".status: 'PENDING'" in text)
    ]
    assert shape is not Shape.NEW or unknown == []


async def test_a_domain_is_replaced_and_verified() -> None:
    """PUT replaces all but its name; a TXT record verifies it."""
    made, _, _ = POLICIES["domains"]
    async with on_simulator() as (api, simulator, _):
        domain = await api.settings.domains.create(**made)
        settings = {
            name: made[name]
            for name in ("allowed_delivery_modes", "drop_dispositions", "ip_restrictions")
        }
        replaced = await api.settings.domains.replace(domain.id, **settings, regions=["AU", "DE"])
        assert (replaced.id, replaced.domain, replaced.regions) == (
            domain.id,
            "b.test",
            ("AU", "DE"),
        )
        proof = await api.settings.domains.verification(domain.id)
        assert proof is not None
        assert (proof.txt_record_name or "").endswith("b.test")
        assert [row["operation"] for row in simulator.account.ledger.since(0)] == ["create", "edit"]


@pytest.mark.parametrize(
    "pattern",
    [("192.168.0.1", "IP"), ("not an address", "EMAIL"), ("-", "DOMAIN")],
    ids=["private", "no address", "no domain"],
)
async def test_an_invalid_pattern_is_rejected(pattern: tuple[str, str]) -> None:
    """The refusal has a reason and no effect."""
    async with on_simulator() as (api, simulator, checker):
        with pytest.raises(InvalidRequest) as caught:
            await api.create_block_sender(pattern=pattern[0], pattern_type=pattern[1], comments="")
        assert caught.value.text
        assert simulator.account.ledger.since(0) == []
    assert checker.problems == []


async def test_a_bulk_job_is_found_again_by_its_comment() -> None:
    """Created, listed, read; an untimely cancel or delete is refused."""
    async with on_simulator(job_step=0.0) as (api, simulator, checker):
        simulator.add([mail(number) for number in range(3)])
        job = await api.move_all(
            "JunkEmail", comment="clawback/case/1", sender="ceo@evil.test", **last_hour()
        )
        found = [
            item
            async for page in pages(api.jobs, per_page=1)
            for item in page.items
            if item.comment == "clawback/case/1"
        ]
        assert [item.job_id for item in found] == [job.job_id]
        while not (job := await api.job(job.job_id)).is_over:
            assert job.status in {"PENDING", "DISCOVERING", "PROCESSING"}
        assert (job.status, job.messages_successful) == ("COMPLETED", 3)
        rows = [
            row
            async for page in pages(api.job_messages, job_id=job.job_id, per_page=2)
            for row in page.items
        ]
        assert {row.postfix_id for row in rows} == {"POST0", "POST1", "POST2"}
        await api.delete_job(job.job_id)
        with pytest.raises(NotFound):
            await api.job(job.job_id)
        assert [row["operation"] for row in simulator.account.ledger.since(0)].count("move") == 3
    assert checker.problems == []


@pytest.mark.parametrize("body", list(BodyForm))
async def test_the_contents_of_a_message_are_read(body: BodyForm) -> None:
    """Preview, raw and trace; a rendered preview from servers of either age."""
    async with on_simulator(preview_body=body) as (api, simulator, checker):
        simulator.add([mail(1), mail(2, final_disposition="NONE")])
        assert await api.preview(ONE)
        assert ONE in await api.raw(ONE)
        assert (await api.trace(ONE)).inbound.lines
        assert await api.make_preview("POST2-2026-11-22T10:00:00-2")
    assert checker.problems == []


async def test_a_submission_by_alert_id_is_found_in_the_list() -> None:
    """The successor of reclassify."""
    async with on_simulator() as (api, simulator, checker):
        simulator.add([mail(1, alert_id="alert-1")])
        await api.submit([Resubmission("alert-1", "SPAM")])
        found = [
            item async for page in pages(api.submissions, **last_hour()) for item in page.items
        ]
        assert [(item.original_postfix_id, item.requested_disposition) for item in found] == [
            ("POST1", "SPAM")
        ]
    assert checker.problems == []
