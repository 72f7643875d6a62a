"""Every unsafe POST: its response is lost, and the API shows what happened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawback.cloudflare import Batch, EmailSecurity, Resubmission, UnknownOutcome
from clawback.cloudflare.operation_catalogue import OPERATIONS, Operation
from clawback.cloudflare.recovery import RecoveryResult, recovery_of
from clawback.simulator import Simulator, SimulatorOptions, parse_faults
from tests.contract.checked_client import ACCOUNT, TOKEN, mail
from tests.contract.test_requests import POLICIES

ONE, TWO = (f"POST{number}-2026-11-22T10:00:00-{number}" for number in (1, 2))
QUARANTINED = "POST3-2026-11-22T10:00:00-3"
OPERATION = {operation.name: operation for operation in OPERATIONS}
UNSAFE = [operation.name for operation in OPERATIONS if operation.is_unsafe]
HOUR = {"start": datetime.now(UTC) - timedelta(hours=1), "end": datetime.now(UTC)}

# what is asked, and what finding out costs in requests
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "move": ({"ids": [ONE, TWO], "destination": "JunkEmail"}, 2),
    "move_one": ({"id": ONE, "destination": "JunkEmail"}, 1),
    "release": ({"ids": [QUARANTINED]}, 1),
    "reclassify": ({"id": ONE, "disposition": "SPAM"}, 1),
    "submit": ({"messages": [Resubmission("alert-1", "SPAM")]}, 2),
    "move_all": ({"destination": "JunkEmail", "comment": "clawback/1", **HOUR}, 1),
    "release_all": ({"comment": "clawback/2", **HOUR}, 1),
}
for kind, (made, _, _) in POLICIES.items():
    CASES[f"settings.{kind}.create"] = (made, 1)
    CASES[f"settings.{kind}.batch"] = ({"changes": Batch(posts=[made])}, 1)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[EmailSecurity, Simulator]]:
    """A simulator with three messages, one of them quarantined, and a client of it."""
    simulator = Simulator(SimulatorOptions(job_step=3600.0))
    simulator.add([mail(1, alert_id="alert-1"), mail(2), mail(3, is_quarantined=True)])
    async with (
        simulator.serve() as url,
        EmailSecurity(url=url, account_id=ACCOUNT, token=TOKEN) as api,
    ):
        yield api, simulator


async def found_after(
    fault: str,
    operation: Operation,
    given: dict[str, Any],
    api: EmailSecurity,
    simulator: Simulator,
) -> RecoveryResult:
    """Make the call with a fault that loses the response, then recover the outcome."""
    since = datetime.now(UTC)
    simulator.account.faults.rates = parse_faults(fault)
    with pytest.raises(UnknownOutcome):
        await operation.bind(api)(**given)
    simulator.account.faults.rates = parse_faults("")
    recovery = recovery_of(operation)
    assert recovery
    return await recovery.check(api, given, since)


def effects(simulator: Simulator) -> int:
    """Count what took effect: ledger rows and jobs."""
    return len(simulator.account.ledger.since(0)) + len(simulator.account.jobs)


def requests(simulator: Simulator) -> int:
    return len(simulator.account.requests.since(0))


@pytest.mark.parametrize(
    "name", [name for name in UNSAFE if name != "settings.sending_domain_restrictions.batch"]
)
async def test_a_lost_answer_is_one_effect_and_is_found(name: str) -> None:
    """One effect, found at the stated cost, never repeated; no effect is not found."""
    operation = OPERATION[name]
    given, cost = CASES[name]
    async with served() as (api, simulator):
        assert (
            await found_after("reset=1", operation, given, api, simulator)
            is RecoveryResult.NOT_DONE
        )
        assert effects(simulator) == 0
        before = requests(simulator)
        assert (
            await found_after("lost_answer=1", operation, given, api, simulator)
            is RecoveryResult.DONE
        )
        assert requests(simulator) - before == 1 + cost
        assert effects(simulator) == len(given.get("ids", ["one"]))


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind != "impersonation_registry"])
async def test_a_batch_is_found_by_all_that_it_changes(kind: str) -> None:
    """All deletes and changes must show: half of a batch is no proof."""
    made, changed, _ = POLICIES[kind]
    operation = OPERATION[f"settings.{kind}.batch"]
    async with served() as (api, simulator):
        policies = getattr(api.settings, kind)
        gone, kept = await policies.create(**made), await policies.create(**made)
        only_deletes = policies.batch_kinds == ("deletes",)
        changes = Batch(deletes=[gone.id], patches={} if only_deletes else {kept.id: changed})
        before = effects(simulator)
        assert (
            await found_after("reset=1", operation, {"changes": changes}, api, simulator)
            is RecoveryResult.NOT_DONE
        )
        assert (
            await found_after("lost_answer=1", operation, {"changes": changes}, api, simulator)
            is RecoveryResult.DONE
        )
        assert effects(simulator) - before == (1 if only_deletes else 2)
        recovery = recovery_of(operation)
        assert recovery
        mixed = {"changes": Batch(deletes=[gone.id, kept.id])}
        assert await recovery.check(api, mixed, datetime.now(UTC)) is RecoveryResult.PARTLY


def test_every_unsafe_post_has_a_recovery() -> None:
    """Nothing else has one: it can be repeated."""
    assert [operation.name for operation in OPERATIONS if recovery_of(operation)] == UNSAFE
