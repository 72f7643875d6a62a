"""Removes an account policy of ours when nobody wants it any more, or when somebody lifts it."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.claims import Claim
    from clawback.model.policies import EndedPolicy, ExpiringPolicy
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from workflows.steps.expiry import EntryExpiry


@workflow.defn(name=names.POLICY_EXPIRY, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PolicyExpiryWorkflow(EntryExpiry):
    """Removes one policy when its time is up, unless somebody else has changed the policy.

    Id: `expiry/<list>/<policy id>`. The result says how the policy ended.
    """

    noun = "policy"

    @workflow.init
    def __init__(self, expiring: ExpiringPolicy) -> None:
        super().__init__(expiring.claims)
        self._expiring = expiring

    @workflow.run
    async def run(self, expiring: ExpiringPolicy) -> EndedPolicy:
        """Wait until the policy ends, remove it, record that."""
        await self._wait_until_over()
        ended = await self._remove(expiring.policy)
        self._unwritten.append(self._build_record(ended))
        await self._finish()
        return ended

    def _note_claims(self, extending: Claim | None) -> None:
        self._changes += 1

    def _continue_as_new(self) -> None:
        workflow.continue_as_new(self._expiring.model_copy(update={"claims": self._claims}))

    def _build_record(self, ended: EndedPolicy) -> AuditRecord:
        order, detail = self._lifting, "no claim is left" if self._is_withdrawn else ""
        record = AuditRecord(
            id="",
            at=workflow.now(),
            kind=RecordKind.POLICY_EXPIRED,
            rule=self._expiring.rule,
            case=self._expiring.case,
            action=self._expiring.action,
            target=self._expiring.policy.id,
            outcome=ended.removal,
            detail=bounded(order.reason if order else detail) or None,
            **(order.actor.audit_fields if order else {}),
        )
        return self._record_ids.identify(record)
