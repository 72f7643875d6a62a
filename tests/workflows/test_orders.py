"""Signed orders on a real server: what counts, and what is refused whoever sends it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue

from clawback.actions import BlockSender
from clawback.cases import CaseState
from clawback.cases.undo_plan import UndoScope
from clawback.identity.order_signing import OrderKeys, derive_signing_key
from clawback.identity.permission import Policy
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import RecordKind
from clawback.model.events import EventKind
from clawback.model.identity import Actor, Role
from clawback.model.mode import Mode
from clawback.model.orders import MAX_AGE, Order, SignedOrder, Verb
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.data_converter import data_converter, order_keys
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.key_ring import Key, KeyRing
from clawback.temporal.orders import new_nonce, sign_order
from clawback.temporal.undo_gateway import UndoRequest
from clawback.temporal.workflow_calls import UpdateRefused
from tests.people import person
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_approvals import held, plan
from tests.workflows.test_case import simulated

KEY, OTHER = Key.generate(), Key.generate()
DOMAIN = BlockSender(pattern="bad.example", kind=PatternKind.DOMAIN)
SIGNED_IN = Policy(has_provider=True)
ANA, BEN = person("ana", verified=True), person("ben", verified=True)


def keyed(client: Client, *, accepts_plaintext: bool = False) -> Client:
    """The client of an installation with a key."""
    converter = data_converter(KeyRing([KEY]), accepts_plaintext=accepts_plaintext)
    return Client(client.service_client, namespace=client.namespace, data_converter=converter)


@dataclass
class Asked:
    """A held case, and what it would do."""

    deployment: Deployment
    case: str
    digest: str

    def order(self, **fields: Any) -> Order:
        """Build an approval of it, or what differs."""
        approval: dict[str, Any] = {"verb": Verb.APPROVE, "actor": ANA, "content": self.digest}
        approval |= {"workflow": self.case, "at": datetime.now(UTC), "nonce": new_nonce()}
        return Order(**{**approval, **fields})

    def sign(self, **fields: Any) -> SignedOrder:
        """Sign such an approval with the key of the installation."""
        codec = self.deployment.client.data_converter.payload_codec
        return order_keys(codec).sign(self.order(**fields))

    async def send(self, signed: SignedOrder, client: Client | None = None) -> str:
        """Send it to the case; the state of the case, or why it was refused."""
        handle = (client or self.deployment.client).get_workflow_handle(self.case)
        try:
            state: str = await handle.execute_update(names.APPROVE, signed, result_type=str)
        except WorkflowUpdateFailedError as error:
            return str(error.cause)
        return state


async def ask(deployment: Deployment, **said: Any) -> Asked:
    """Let a case be held that blocks a domain, for which two people must agree."""
    told = plan(**{"mode": Mode.ENFORCE, "actions": (DOMAIN,), **said})
    digest = await held(deployment, told, list(outbreak(1)))
    return Asked(deployment, told.case_id, digest)


async def test_what_nobody_may_forge(temporal: Client, tmp_path: Path) -> None:
    """Forged, expired, for another case, about something else, unsigned, and taken back: refused.

    None of them counts as the first of two approvals.
    """
    async with deployed(
        keyed(temporal, accepts_plaintext=True), simulated([]), tmp_path, policy=SIGNED_IN
    ) as deployment:
        asked = await ask(deployment)
        forger = OrderKeys({KEY.id: derive_signing_key(OTHER.secret)})
        stranger = OrderKeys({OTHER.id: derive_signing_key(OTHER.secret)})
        late = datetime.now(UTC) - MAX_AGE - timedelta(seconds=5)
        good = asked.sign()

        for signed, why in (
            (forger.sign(asked.order()), "the signature of the order is wrong"),
            (stranger.sign(asked.order()), "which the workers do not have"),
            (good.model_copy(update={"text": good.text.replace('"ana"', '"ben"')}), "is wrong"),
            (OrderKeys({}).sign(asked.order()), "the order is not signed"),
            (asked.sign(at=late), "the order has expired"),
            (asked.sign(workflow="case/r/other"), "the order is for case/r/other"),
            (asked.sign(content="1-000000000000"), "has changed since it was shown"),
            (asked.sign(verb=Verb.DENY), "the order is to deny, not to approve"),
            (asked.sign(actor=person("ana")), "sign in first: `clawback login`"),
            (asked.sign(actor=person("eve", Role.VIEWER, verified=True)), "takes the role analyst"),
            (SignedOrder(text="nonsense"), "the order cannot be read"),
        ):
            assert why in await asked.send(signed)

        # Whoever has no key may write plaintext while `migrate` accepts that; what is answered is
        # encrypted.
        unsigned = OrderKeys({}).sign(asked.order())
        assert await asked.send(unsigned, temporal) == "Encoded failure"

        snapshot = (await deployment.cases.status(asked.case)).snapshot
        assert snapshot is not None
        assert (snapshot.approvals, snapshot.orders) == ((), {})


async def test_an_approval_counts_once(temporal: Client, tmp_path: Path) -> None:
    """Sent again under another update id, it is neither a second person nor a second approval.

    Whoever sends it again gets the first answer.
    """
    async with deployed(keyed(temporal), simulated([]), tmp_path, policy=SIGNED_IN) as deployment:
        asked = await ask(deployment)
        signed = asked.sign(actor=ANA)
        assert await asked.send(signed) == CaseState.HELD
        assert await asked.send(signed) == CaseState.HELD
        snapshot = (await deployment.cases.status(asked.case)).snapshot
        assert snapshot is not None
        assert len(snapshot.approvals) == 1
        assert await asked.send(asked.sign(actor=BEN)) == CaseState.RESPONDING


async def test_a_copied_order_to_resume_does_not_resume(temporal: Client, tmp_path: Path) -> None:
    """Who reads histories sends the encrypted order again to the guard that it was for."""
    async with deployed(keyed(temporal), simulated([]), tmp_path) as deployment:
        guard = GuardGateway(deployment.client)
        await guard.stop(ANA, "one")
        await guard.resume(ANA)
        await guard.stop(ANA, "two")

        history = await temporal.get_workflow_handle(names.GUARD_ID).fetch_history()
        accepted = [
            one.workflow_execution_update_accepted_event_attributes.accepted_request.input
            for one in history.events
            if one.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        ]
        (copied,) = (one.args.payloads[0] for one in accepted if one.name == names.RESUME)
        handle = temporal.get_workflow_handle(names.GUARD_ID)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(names.RESUME, RawValue(copied))
        assert await guard.is_stopped()


async def test_two_names_on_whose_behalf_one_acts_are_one_person(
    temporal: Client, tmp_path: Path
) -> None:
    """What is typed after `--by` is recorded beside who acts, and never counted."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        asked = await ask(deployment)
        for behalf, why in (("ana", None), ("the ceo", "root@box has approved this already")):
            actor = person("root@box", behalf=behalf)
            if why is None:
                await deployment.cases.approve(asked.case, actor, asked.digest)
            else:
                with pytest.raises(UpdateRefused, match=why):
                    await deployment.cases.approve(asked.case, actor, asked.digest)

        (record,) = (one for one in deployment.audit() if one.kind is RecordKind.APPROVED)
        assert (record.actor, record.on_behalf_of, record.verified) == ("root@box", "ana", False)


@pytest.mark.parametrize("people", [(person("ana"), person("ben")), (ANA, BEN)])
async def test_without_a_provider_what_needs_two_people_is_refused(
    temporal: Client, tmp_path: Path, people: tuple[Actor, Actor]
) -> None:
    """The shipped safety file accepts no unverified approvals.

    Without a key, somebody who claims to have signed in is not believed.
    """
    async with deployed(temporal, simulated([]), tmp_path, policy=None) as deployment:
        asked = await ask(deployment)
        for somebody in people:
            with pytest.raises(UpdateRefused, match=r"unverified_approvals: allowed.*safety\.yml"):
                await deployment.cases.approve(asked.case, somebody, asked.digest)
        assert await deployment.cases.deny(asked.case, people[0]) == CaseState.DENIED


async def test_a_denial_of_what_was_shown_does_not_deny_more(
    temporal: Client, tmp_path: Path
) -> None:
    """Denying one message and denying the four that it became are different decisions."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        asked = await ask(deployment)
        with pytest.raises(UpdateRefused, match="has changed since it was shown"):
            await deployment.cases.deny(asked.case, ANA, digest="1-000000000000")
        assert await deployment.cases.deny(asked.case, ANA, digest=asked.digest) == CaseState.DENIED


async def test_orders_to_pollers_are_on_record(temporal: Client, tmp_path: Path) -> None:
    """Who paused, resumed and rewound polling, why, and on whose behalf."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await deployment.poll()
        actor = person("ana", behalf="the night shift")
        to = datetime.now(UTC) - timedelta(hours=1)
        await deployment.pollers.pause(EventKind.MESSAGE, actor, "too much")
        await deployment.pollers.resume(EventKind.MESSAGE, actor)
        await deployment.pollers.rewind(EventKind.MESSAGE, to, actor, "looked away")
        kinds = (RecordKind.POLL_PAUSED, RecordKind.POLL_RESUMED, RecordKind.POLL_REWOUND)
        records = [one for one in deployment.audit() if one.kind in kinds]
        assert [one.kind for one in records] == list(kinds)
        assert {(one.actor, one.on_behalf_of) for one in records} == {("ana", "the night shift")}
        assert [one.detail for one in records] == [
            "too much",
            None,
            f"to {to:%FT%TZ} · looked away",
        ]


@pytest.mark.parametrize("kind", ["none", "of a viewer", "about others"])
async def test_an_undo_that_nobody_may_order_undoes_nothing(
    temporal: Client, tmp_path: Path, kind: str
) -> None:
    """Without an order, by a viewer, or about other cases than were signed."""
    async with deployed(keyed(temporal), simulated([]), tmp_path) as deployment:
        request = UndoRequest(scope=UndoScope(actor=ANA), cases=())
        actor = person("eve", Role.VIEWER, verified=True) if kind == "of a viewer" else ANA
        content = "something else" if kind == "about others" else request.digest
        order = sign_order(deployment.client, Verb.UNDO, "undo/x/1", actor, content=content)
        handle = await deployment.client.start_workflow(
            names.UNDO,
            request.model_copy(update={"order": None if kind == "none" else order}),
            id="undo/x/1",
            task_queue=names.WORKFLOW_QUEUE,
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=20",)], indirect=True
)
async def test_orders_meet_new_runs_of_the_guard(temporal: Client, tmp_path: Path) -> None:
    """None is lost while the guard continues as new, and a later run knows those of a former."""
    async with deployed(keyed(temporal), simulated([]), tmp_path) as deployment:
        guard = GuardGateway(deployment.client)
        first = sign_order(deployment.client, Verb.STOP, names.GUARD_ID, ANA)
        handle = deployment.client.get_workflow_handle(names.GUARD_ID)
        await handle.execute_update(names.STOP, first)
        for _ in range(6):
            await guard.resume(ANA)
            await guard.stop(ANA, "again")

        memory = await guard.status()
        assert memory is not None
        assert (memory.generation > 1, len(memory.orders)) == (True, 13)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(names.STOP, first)
        assert str(refused.value.cause) == "the order has been counted already"
