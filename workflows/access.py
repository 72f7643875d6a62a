"""API tokens and revoked sessions of the installation.

What may be added or revoked is decided by `clawback.identity.access_list`.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from clawback.identity.access_list import (
        AccessList,
        AccessSnapshot,
        ApiToken,
        RevokedPerson,
    )
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.identity import Actor
    from clawback.model.orders import Order, SignedOrder, Verb
    from clawback.model.record_ids import RecordIds
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from workflows.steps.audit import write_records
    from workflows.steps.orders import require_order, take_order
    from workflows.steps.renewal import is_old_run
    from workflows.validators import require_no_problem


@workflow.defn(name=names.ACCESS, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class AccessWorkflow:
    """Keeps who may come in by token, and which sessions no longer may.

    Id: `access`; one, for ever. Its memo holds everything, so that consoles read it from the server
    without a worker, and so that a run that somebody ended can be continued.
    """

    @workflow.init
    def __init__(self, snapshot: AccessSnapshot) -> None:
        self._access = AccessList(snapshot)
        self._unwritten: list[AuditRecord] = []
        self._record_ids = RecordIds("access", workflow.info().run_id)

    @workflow.run
    async def run(self, snapshot: AccessSnapshot) -> None:
        """Write audit records; everything else happens in the handlers."""
        while True:
            await workflow.wait_condition(lambda: bool(self._unwritten) or self._can_continue)
            records = tuple(self._unwritten)
            await write_records(records)
            del self._unwritten[: len(records)]
            if self._can_continue and not self._unwritten:
                current = self._access.snapshot()
                workflow.continue_as_new(current, memo={names.ACCESS_MEMO: current})

    @workflow.update(name=names.CREATE_TOKEN)
    async def create_token(self, signed: SignedOrder) -> ApiToken:
        """Create the token that the order describes."""
        order = await take_order(signed, Verb.CREATE_TOKEN, self._access.orders)
        require_no_problem(self._access.creation_problem(order, workflow.now()))
        token = self._access.create(order, workflow.now())
        detail = f"{token.role} until {token.expires_at:%FT%TZ}"
        if token.name:
            detail += f" · {token.name}"
        self._show(RecordKind.TOKEN_CREATED, order.actor, token.id, detail)
        return token

    @workflow.update(name=names.REVOKE_TOKEN)
    async def revoke_token(self, signed: SignedOrder) -> ApiToken:
        """Revoke the token that the order names by its id."""
        order = await take_order(signed, Verb.REVOKE_TOKEN, self._access.orders)
        require_no_problem(self._access.revocation_problem(order.content, workflow.now()))
        token = self._access.revoke(order, workflow.now())
        self._show(RecordKind.TOKEN_REVOKED, order.actor, token.id, order.reason)
        return token

    @workflow.update(name=names.REVOKE_SESSION)
    async def revoke_session(self, signed: SignedOrder) -> None:
        """Revoke the session that the order names by its hash: one's own, or that of another."""
        order = await take_order(signed, _session_verb(signed), self._access.orders)
        require_no_problem(self._access.session_problem(order.content, workflow.now()))
        ended = self._access.revoke_session(order, workflow.now())
        self._show(RecordKind.SESSION_REVOKED, order.actor, ended.session, order.reason)

    @workflow.update(name=names.REVOKE_PERSON)
    async def revoke_person(self, signed: SignedOrder) -> RevokedPerson:
        """Revoke all sessions of the person that the order names."""
        order = await take_order(signed, Verb.REVOKE_PERSON, self._access.orders)
        require_no_problem(self._access.person_problem(order.content, workflow.now()))
        revoked = self._access.revoke_person(order, workflow.now())
        self._show(RecordKind.SESSION_REVOKED, order.actor, bounded(revoked.who), order.reason)
        return revoked

    @create_token.validator
    def _validate_create(self, signed: SignedOrder) -> None:
        order = self._require(signed, Verb.CREATE_TOKEN)
        require_no_problem(self._access.creation_problem(order, workflow.now()))

    @revoke_token.validator
    def _validate_revoke(self, signed: SignedOrder) -> None:
        order = self._require(signed, Verb.REVOKE_TOKEN)
        require_no_problem(self._access.revocation_problem(order.content, workflow.now()))

    @revoke_session.validator
    def _validate_revoke_session(self, signed: SignedOrder) -> None:
        order = self._require(signed, _session_verb(signed))
        require_no_problem(self._access.session_problem(order.content, workflow.now()))

    @revoke_person.validator
    def _validate_revoke_person(self, signed: SignedOrder) -> None:
        order = self._require(signed, Verb.REVOKE_PERSON)
        require_no_problem(self._access.person_problem(order.content, workflow.now()))

    @workflow.query(name=names.STATUS)
    def status(self) -> AccessSnapshot:
        """All tokens and revoked sessions."""
        return self._access.snapshot()

    def _require(self, signed: SignedOrder, verb: Verb) -> Order:
        return require_order(signed, verb, self._access.orders)

    def _show(self, kind: RecordKind, actor: Actor, target: str, detail: str) -> None:
        workflow.upsert_memo({names.ACCESS_MEMO: self._access.snapshot()})
        record = AuditRecord(
            id="",
            at=workflow.now(),
            kind=kind,
            target=target,
            detail=bounded(detail) or None,
            **actor.audit_fields,
        )
        self._unwritten.append(self._record_ids.identify(record))

    @property
    def _can_continue(self) -> bool:
        is_due = workflow.info().is_continue_as_new_suggested() or is_old_run()
        return is_due and workflow.all_handlers_finished()


def _session_verb(signed: SignedOrder) -> Verb:
    """Which of the two orders that end a session this is; anything else is refused as neither."""
    is_own = signed.order is not None and signed.order.verb is Verb.SIGN_OUT
    return Verb.SIGN_OUT if is_own else Verb.REVOKE_SESSION
