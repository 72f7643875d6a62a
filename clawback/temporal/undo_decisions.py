"""Typed calls on undos that wait for a second person: list them, and decide.

The pages of a large undo are workflows of their own. People see and decide one undo.
"""

from collections import defaultdict
from collections.abc import Mapping

from temporalio.client import Client

from clawback.cases.undo_judgement import UndoHold, merge_holds
from clawback.model.identity import Actor
from clawback.model.orders import SignedOrder, Verb
from clawback.temporal import names
from clawback.temporal.data_converter import PayloadRefused
from clawback.temporal.fan_out import Answers, call_each
from clawback.temporal.orders import sign_order
from clawback.temporal.undo_gateway import UndoProgress
from clawback.temporal.workflow_calls import (
    NoSuchWorkflow,
    UpdateRefused,
    query_workflow,
    update_workflow,
)

_PREFIX = f"{names.UNDO}/"


class UndoDecisions:
    """Typed access to the undos that people must decide about, over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def held(self) -> Answers[UndoHold]:
        """Read what waits for a second person, by the id of the undo.

        Reads what the undos have published, which may lag by a second, and needs no worker.
        """
        undos: dict[str, list[UndoHold]] = defaultdict(list)
        errors: dict[str, Exception] = {}
        async for page in self.client.list_workflows(_running(_PREFIX)):
            try:
                hold = await page.memo_value(names.HOLD_MEMO, default=None, type_hint=UndoHold)
            except (ValueError, PayloadRefused) as error:
                errors[page.id] = error
                continue
            if isinstance(hold, UndoHold):
                undos[page.id.rpartition("/")[0]].append(hold)
        return Answers({id_: merge_holds(holds) for id_, holds in undos.items()}, errors)

    async def find(self, undo: str) -> UndoHold:
        """Read what one undo waits for.

        Raises:
            NoSuchWorkflow: no undo of that id waits for anybody.
            QueryFailed: it cannot answer.
            RPCError: the server or the workers do not answer.

        """
        return merge_holds(list((await self._pages(undo)).values()))

    async def approve(self, undo: str, actor: Actor, digest: str, reason: str = "") -> None:
        """Agree to what an undo showed under `digest`.

        Raises:
            NoSuchWorkflow: no undo of that id waits for anybody.
            UpdateRefused: it has changed since, or this person has asked for it.

        """
        pages = await self._pages(undo)
        current = merge_holds(list(pages.values())).assessment.digest
        if digest != current:
            raise UpdateRefused(
                f"the undo has changed since it was shown: its digest is now {current}"
            )
        for page, hold in pages.items():
            order = self._sign(Verb.APPROVE, page, actor, reason, hold.assessment.digest)
            handle = self.client.get_workflow_handle(page)
            await update_workflow(handle, names.APPROVE, [order], type(None))

    async def deny(self, undo: str, actor: Actor, reason: str = "") -> None:
        """End an undo before it begins.

        Raises:
            NoSuchWorkflow: no undo of that id waits for anybody.
            UpdateRefused: somebody has just decided it.

        """
        for page in await self._pages(undo):
            order = self._sign(Verb.DENY, page, actor, reason)
            handle = self.client.get_workflow_handle(page)
            await update_workflow(handle, names.DENY, [order], type(None))

    def _sign(
        self, verb: Verb, page: str, actor: Actor, reason: str, content: str = ""
    ) -> SignedOrder:
        return sign_order(self.client, verb, page, actor, reason=reason, content=content)

    async def _pages(self, undo: str) -> Mapping[str, UndoHold]:
        """Read what the pages of an undo wait for; every page must answer."""
        answers = await self._holds(f"{undo}/")
        answers.require_all()
        if not answers.given:
            raise NoSuchWorkflow(
                f"no {undo} waits for a decision; `clawback undo list` has those that do"
            )
        return answers.given

    async def _holds(self, prefix: str) -> Answers[UndoHold]:
        """Read what running pages wait for, of those whose id begins so."""
        pages = [one.id async for one in self.client.list_workflows(_running(prefix))]

        async def hold_of(page: str) -> UndoHold | None:
            handle = self.client.get_workflow_handle(page)
            return (await query_workflow(handle, names.STATUS, UndoProgress)).hold

        answers = await call_each(hold_of, pages)
        given = {page: hold for page, hold in answers.given.items() if hold is not None}
        return Answers(given, answers.errors)


def _running(prefix: str) -> str:
    """The query for the running pages of undos whose id begins so."""
    return (
        f"WorkflowType = '{names.UNDO}' AND ExecutionStatus = 'Running' "
        f"AND WorkflowId STARTS_WITH {names.quote_value(prefix)}"
    )
