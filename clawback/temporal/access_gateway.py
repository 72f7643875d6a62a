"""Typed calls on the workflow that keeps API tokens and revoked sessions, and what it shows.

Reading needs no worker: everything is in its memo. The first order starts it. A run that somebody
ended is continued from its memo; one that somebody reset knows no revocation since, so its tokens
count no more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from clawback.identity.access_list import (
    AccessSnapshot,
    ApiToken,
    EndedSession,
    NewToken,
    RevokedPerson,
    hash_session,
)
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.temporal import names
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import update_workflow

T = TypeVar("T")

_ACCEPT_TIMEOUT = timedelta(seconds=20)
_RPC_TIMEOUT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AccessView:
    """What the server shows. The tokens of a run that was reset, or has ended, do not count."""

    snapshot: AccessSnapshot
    is_running: bool
    is_reset: bool = False

    @property
    def counting(self) -> AccessSnapshot:
        """What counts now. Revoked sessions stay revoked in any case."""
        if self.is_running and not self.is_reset:
            return self.snapshot
        return self.snapshot.model_copy(update={"tokens": ()})


class AccessGateway:
    """Typed access to tokens and revoked sessions over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def look(self) -> AccessView | None:
        """Read what the server has committed; None if nothing was ever created or revoked.

        Raises:
            ValueError, PayloadRefused: the memo cannot be read.
            RPCError: the server does not answer.

        """
        try:
            found = await self._handle.describe(rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return AccessView(
            snapshot=await _read_memo(found),
            is_running=found.status is WorkflowExecutionStatus.RUNNING,
            is_reset=found.raw_description.workflow_extended_info.HasField("last_reset_time"),
        )

    async def keep(self) -> AccessView:
        """Start the workflow unless it runs, from what its last run showed; return what counts.

        Raises what `look` raises.
        """
        view = await self.look()
        if view is not None and view.is_running and not view.is_reset:
            return view

        snapshot = AccessSnapshot()
        if view is not None:
            snapshot = view.snapshot if not view.is_reset else view.counting
        if view is not None and view.is_running:
            await self._handle.terminate("somebody reset it: its revocations are lost")
        await self.client.start_workflow(
            names.ACCESS,
            snapshot,
            id=names.ACCESS_ID,
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            memo={names.ACCESS_MEMO: snapshot},
            static_summary="API tokens and revoked sessions of this installation",
        )
        return AccessView(snapshot, is_running=True)

    async def create_token(self, token: NewToken, actor: Actor) -> ApiToken:
        """Create a token.

        Raises:
            UpdateRefused: there are too many, or it would be valid for too long.
            NoWorkerAnswered, RPCError: no worker or no server answers.

        """
        content = token.model_dump_json()
        return await self._order(
            names.CREATE_TOKEN, Verb.CREATE_TOKEN, actor, ApiToken, content=content
        )

    async def revoke_token(self, token_id: str, actor: Actor, reason: str = "") -> ApiToken:
        """Revoke a token; consoles stop taking it within seconds.

        Raises:
            UpdateRefused: there is no such token, or it has ended.
            NoWorkerAnswered, RPCError: no worker or no server answers.

        """
        return await self._order(
            names.REVOKE_TOKEN,
            Verb.REVOKE_TOKEN,
            actor,
            ApiToken,
            content=token_id,
            reason=reason,
        )

    async def sign_out(self, session_id: str, until: datetime, actor: Actor) -> None:
        """Revoke the session of whoever asks, until it would have ended."""
        content = EndedSession(session=hash_session(session_id), until=until).model_dump_json()
        await self._order(names.REVOKE_SESSION, Verb.SIGN_OUT, actor, type(None), content=content)

    async def revoke_session(
        self, session: str, until: datetime, actor: Actor, reason: str = ""
    ) -> None:
        """Revoke the session of somebody else, by the hash of its id as the audit has it."""
        content = EndedSession(session=session, until=until).model_dump_json()
        await self._order(
            names.REVOKE_SESSION,
            Verb.REVOKE_SESSION,
            actor,
            type(None),
            content=content,
            reason=reason,
        )

    async def revoke_person(self, who: str, actor: Actor, reason: str = "") -> RevokedPerson:
        """Revoke all sessions of a person, by name, subject or id; consoles know it in seconds.

        Raises:
            UpdateRefused: nobody is named, or the actor may not do it.
            NoWorkerAnswered, RPCError: no worker or no server answers.

        """
        return await self._order(
            names.REVOKE_PERSON,
            Verb.REVOKE_PERSON,
            actor,
            RevokedPerson,
            content=who,
            reason=reason,
        )

    async def _order(  # noqa: PLR0913 - what an order consists of
        self,
        update: str,
        verb: Verb,
        actor: Actor,
        result_type: type[T],
        *,
        content: str,
        reason: str = "",
    ) -> T:
        await self.keep()
        signed = sign_order(
            self.client, verb, names.ACCESS_ID, actor, reason=reason, content=content
        )
        return await update_workflow(self._handle, update, [signed], result_type, _ACCEPT_TIMEOUT)

    @property
    def _handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(names.ACCESS_ID)


async def _read_memo(found: WorkflowExecutionDescription) -> AccessSnapshot:
    memo = await found.memo_value(names.ACCESS_MEMO, default=None, type_hint=AccessSnapshot)
    if not isinstance(memo, AccessSnapshot):
        raise ValueError("the list of API tokens has no memo")  # noqa: TRY004 - no type is wrong
    return memo
