"""A case is found by as much of its id as names it alone, however many cases there are."""

from datetime import UTC, datetime

import pytest
from temporalio.client import Client

from clawback.actions import Move
from clawback.case_files.case_ids import (
    AmbiguousCase,
    CaseName,
    NoCaseId,
    UnknownCase,
    find_case_id,
)
from clawback.cases import CasePlan
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.temporal import names
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import case_attributes
from tests.waiting import eventually

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def plan(rule: str, group: int) -> CasePlan:
    """A plan of one rule and group."""
    return CasePlan(
        rule=rule,
        version="v1",
        mode=Mode.ENFORCE,
        group={"sender": str(group)},
        actions=(Move(destination=Destination.JUNK),),
    )


async def started(client: Client, *plans: CasePlan) -> None:
    """Start cases that no worker runs, as the index has them."""
    for one in plans:
        attributes = case_attributes(one, NOW)
        await client.start_workflow(
            names.CASE, id=one.case_id, task_queue="nobody", search_attributes=attributes
        )
    cases = CaseGateway(client)

    async def counted() -> bool | None:
        return await cases.count() == len(plans) or None

    await eventually(counted)


async def test_a_case_is_found_by_what_names_it_alone(temporal: Client) -> None:
    """Digits of its hash, in any case; with its rule; a whole id, also that of a further part."""
    one, other = plan("bec", 1), plan("bec", 2)
    await started(temporal, one, other)
    hashed = other.case_id.rpartition("/")[2]

    for text in (
        hashed[:4],
        hashed[:8].upper(),
        f" {hashed} ",
        f"bec/{hashed[:5]}",
        f"case/bec/{hashed[:4]}",
        other.case_id,
        f"{other.case_id}/7",
    ):
        assert await find_case_id(temporal, text) == other.case_id, text


async def test_several_cases_are_told_apart(temporal: Client) -> None:
    """Two rules may share a group, and so the hash of it: both ids are named."""
    one, same_group = plan("bec", 1), plan("spoof", 1)
    await started(temporal, one, same_group)
    hashed = one.case_id.rpartition("/")[2]

    with pytest.raises(AmbiguousCase, match=f"ambiguous(.|\n)*{one.case_id}") as error:
        await find_case_id(temporal, hashed[:4])
    assert error.value.candidates == [one.case_id, same_group.case_id]
    assert await find_case_id(temporal, f"spoof/{hashed}") == same_group.case_id


async def test_what_no_case_has_is_an_error_with_what_was_meant(temporal: Client) -> None:
    """Another rule with the same hash is suggested."""
    one = plan("bec", 1)
    await started(temporal, one)
    hashed = one.case_id.rpartition("/")[2]
    missing = "0123" if not hashed.startswith("0123") else "4567"

    with pytest.raises(UnknownCase, match="case list"):
        await find_case_id(temporal, missing)
    with pytest.raises(UnknownCase, match=f"did you mean\n  {one.case_id}"):
        await find_case_id(temporal, f"bek/{hashed}")


@pytest.mark.parametrize("text", ["", "zzzz", "abc", "bec", "case/", "bec/abc", "a/b/c/0123", "*"])
def test_other_texts_are_no_ids(text: str) -> None:
    """Not even the beginning of a rule: it might name another case tomorrow."""
    with pytest.raises(NoCaseId, match="4 or more"):
        CaseName.parse(text)
