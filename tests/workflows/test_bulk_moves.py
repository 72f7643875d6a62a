"""Older mail of the same kind, which no poll has met.

Searched for, shown to somebody, moved like any other, taken back like any other.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import BulkMove, Move
from clawback.cases import CasePlan, CaseState
from clawback.model.folders import AccountProviders
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.model.providers import Provider
from clawback.simulator import outbreak
from clawback.temporal.undo_gateway import UndoSummary
from tests.people import person
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import undo

SENDER = "a@bad.test"
SEARCH = BulkMove(destination=Destination.JUNK, sender=SENDER)


def plan(action: BulkMove = SEARCH, mode: Mode = Mode.ENFORCE) -> CasePlan:
    """Move what matched, and what a search finds besides."""
    return CasePlan(
        rule="r",
        version="v",
        mode=mode,
        group={"from": SENDER},
        actions=(Move(destination=Destination.JUNK), action),
    )


def mail(count: int, age: timedelta, seed: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Mail of the sender, scanned so long ago."""
    lines = list(outbreak(count, seed, start=datetime.now(UTC) - age, sender=SENDER))
    return [{**line, "message": {**line["message"], **changes}} for line in lines]


def ids(lines: list[dict[str, Any]]) -> list[str]:
    """Their investigate ids."""
    return sorted(line["message"]["id"] for line in lines)


def moved(deployment: Deployment, destination: str = "JunkEmail") -> list[str]:
    """The messages that were moved there."""
    return sorted(
        row["id"]
        for row in deployment.ledger
        if row["operation"] == "move" and row["destination"] == destination
    )


async def test_older_mail_is_found_shown_and_moved_with_leave(
    temporal: Client, tmp_path: Path
) -> None:
    """The match is moved at once.

    The rest waits for somebody, who is shown exactly what was found; undo returns all of it.
    """
    new, old = mail(2, timedelta(minutes=1)), mail(3, timedelta(days=5), 1)
    others = [
        *mail(1, timedelta(days=9), 2),  # too old
        *mail(1, timedelta(days=2), 3, is_quarantined=True),  # dealt with
        *mail(1, timedelta(days=2), 4, delivery_mode="SIMULATION_SUBMISSION"),  # nobody's business
        *outbreak(1, 5, sender="other@good.test"),
    ]
    async with deployed(temporal, simulated([*new, *old, *others]), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, new))
        await deployment.settled(plan().case_id, CaseState.HELD)
        assert moved(deployment) == ids(new)
        proposal = await deployment.cases.proposal(plan().case_id)
        assert sorted(proposal.messages) == ids(old)
        assert proposal.actions == (f"search the last 7d and move to JunkEmail: from {SENDER}",)
        await deployment.cases.approve(plan().case_id, person("ana"), proposal.digest)
        await deployment.settled(plan().case_id)
        assert moved(deployment) == ids([*new, *old])
        assert await undo(deployment, case=plan().case_id) == UndoSummary(cases=1, done=5)
        assert moved(deployment, "Inbox") == ids([*new, *old])


async def test_each_mailbox_gets_a_folder_that_its_provider_has(
    temporal: Client, tmp_path: Path
) -> None:
    """What a search finds is moved to the nearest one too."""
    search = SEARCH.model_copy(update={"destination": Destination.RECOVERABLE})
    old = [
        *mail(1, timedelta(days=1), 1, client_recipients=["a@g.test"]),
        *mail(1, timedelta(days=1), 2, client_recipients=["a@m.test"]),
    ]
    new = mail(1, timedelta(minutes=1))
    providers = {"g.test": Provider.GOOGLE, "m.test": Provider.MICROSOFT}
    async with deployed(temporal, simulated([*new, *old]), tmp_path) as deployment:
        deployment.rules.use_providers(AccountProviders(providers))
        await deployment.signal_case(plan(search), *map(match_of, new))
        await deployment.settled(plan(search).case_id, CaseState.HELD)
        proposal = await deployment.cases.proposal(plan(search).case_id)
        await deployment.cases.approve(plan(search).case_id, person("ana"), proposal.digest)
        await deployment.settled(plan(search).case_id)
        assert moved(deployment, "DeletedItems") == ids(old[:1])
        assert moved(deployment, "RecoverableItemsDeletions") == ids(old[1:])


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.APPROVE])
async def test_modes_hold_for_what_was_found(temporal: Client, tmp_path: Path, mode: Mode) -> None:
    """Shadow records what it would have moved; nothing is touched without leave."""
    new, old = mail(1, timedelta(minutes=1)), mail(2, timedelta(days=1), 1)
    told = plan(mode=mode)
    async with deployed(temporal, simulated([*new, *old]), tmp_path) as deployment:
        await deployment.signal_case(told, *map(match_of, new))
        await deployment.settled(
            told.case_id, CaseState.HELD if mode is Mode.APPROVE else CaseState.SETTLED
        )
        assert deployment.ledger == []
        memory = (await deployment.cases.status(told.case_id)).snapshot
        assert memory is not None
        assert sorted(memory.outcomes[1]) == (ids(old) if mode is Mode.SHADOW else [])
        assert [sorted(one.id for one in found) for found in memory.search_results.values()] == [
            ids(old)
        ]


async def test_a_search_that_finds_too_much_moves_nothing(temporal: Client, tmp_path: Path) -> None:
    """More than the rule allows for: the case says so, and the match is moved all the same."""
    new, old = mail(1, timedelta(minutes=1)), mail(4, timedelta(days=1), 1)
    told = plan(SEARCH.model_copy(update={"most": 3}))
    async with deployed(temporal, simulated([*new, *old]), tmp_path) as deployment:
        await deployment.signal_case(told, *map(match_of, new))
        await deployment.settled(told.case_id)
        memory = (await deployment.cases.status(told.case_id)).snapshot
        assert memory is not None
        assert memory.outcomes[1] == {"": "failed:too_many"}
        assert moved(deployment) == ids(new)


@pytest.mark.parametrize("faults", ["lost_answer=0.4", "500=0.2,429=0.2"])
async def test_what_was_found_is_moved_once_under_faults(
    temporal: Client, tmp_path: Path, faults: str
) -> None:
    """As every move."""
    new, old = mail(1, timedelta(minutes=1)), mail(6, timedelta(days=1), 1)
    async with deployed(temporal, simulated([*new, *old], faults, seed=2), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, new))
        await deployment.settled(plan().case_id, CaseState.HELD)
        await deployment.cases.approve(
            plan().case_id, person("ana"), (await deployment.cases.proposal(plan().case_id)).digest
        )
        await deployment.settled(plan().case_id)
        assert moved(deployment) == ids([*new, *old])


def test_a_search_for_everything_is_refused() -> None:
    """Neither sender nor subject: nobody meant that."""
    with pytest.raises(ValueError, match="a search for everything is refused"):
        BulkMove(destination=Destination.JUNK, sender=" ")
