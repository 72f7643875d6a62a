"""Keeps the guard of an account alive, and containment stopped where its past is in doubt.

A guard starts with nothing in an untouched namespace only. Everywhere else, a guard that is
missing, ended, reset or of an older database was lost: it goes on from what can still be read,
stopped until a person resumes.
"""

import uuid
from datetime import UTC, datetime

import structlog
from temporalio.client import Client, ScheduleDescription
from temporalio.service import RPCError, RPCStatusCode

from clawback.guard import Binding, GuardSnapshot, Loss, LossReason, Stop
from clawback.settings import Settings, SettingsError
from clawback.telemetry import metrics
from clawback.temporal import names
from clawback.temporal.account_binding import require_account
from clawback.temporal.data_converter import PayloadRefused
from clawback.temporal.guard_gateway import GuardGateway, GuardView, explain_refusal
from clawback.temporal.guard_memory import GuardMemory, GuardPosition
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.watchdog import WATCHDOG_SCHEDULE

log = structlog.get_logger("clawback")


class GuardKeeper:
    """Starts the guard, notices that it was lost, and makes it go on."""

    def __init__(self, guard: GuardGateway, account: str, memory: GuardMemory) -> None:
        self._guard = guard
        self._account = account
        self._memory = memory
        self._reported: int | None = None
        self.demoted: frozenset[str] = frozenset()
        """The demoted rules, as the server showed them last."""

    async def open(self) -> Binding:
        """Check whose namespace this is, then see to the guard; return what it is bound to.

        Raises:
            ForeignAccount: the namespace belongs to another account.
            PayloadKeyError: the guard's memo was encrypted with another key.
            RPCError: the server does not answer.

        """
        view = await self._guard.look()
        binding = await self._read_binding(view)
        if binding is not None:
            require_account(binding.account, self._account, self._guard.client.namespace)

        if binding is None:
            known = self._memory.position
            installation = (known.installation if known else "") or uuid.uuid4().hex
            binding = Binding(account=self._account, installation=installation)

        await self._keep(view, binding)
        return await self._confirm(binding)

    async def _confirm(self, binding: Binding) -> Binding:
        """Read the binding once more: another installation may have started the guard just now.

        Raises:
            ForeignAccount: it was the one of another account.

        """
        seen = await self._read_binding(await self._guard.look()) or binding
        require_account(seen.account, self._account, self._guard.client.namespace)
        return seen

    async def keep(self) -> bool:
        """See to the guard, and say whether containment is stopped.

        Raises:
            RPCError: the server does not answer.

        """
        view = await self._guard.look()
        await self._keep(view, await self._read_binding(view))
        return self._is_stopped(view)

    async def is_stopped(self) -> bool:
        """Whether the kill switch is on, as far as the server and this worker know."""
        return self._is_stopped(await self._guard.look())

    def _is_stopped(self, view: GuardView | None) -> bool:
        if view is not None and view.memo is not None:
            self.demoted = frozenset(view.memo.demoted)
        if view is None or view.is_stopped:
            return True
        known = self._memory.position
        return known is not None and known.describe_change(GuardPosition.of(view)) is not None

    async def _keep(self, view: GuardView | None, binding: Binding | None) -> None:
        if view is None and self._memory.position is None and await self._is_untouched():
            await self._guard.start(GuardSnapshot(binding=binding, generation=1))
        elif view is None or not view.is_running:
            await self._start_again(view, binding)
        elif (reason := self._lost_reason(view)) is None or self._was_heard(view):
            self._reported = None
            self._memory.note(GuardPosition.of(view))
        elif self._reported is None:
            self._reported = await self._report(reason, view)

    def _was_heard(self, view: GuardView) -> bool:
        """Whether the guard has dealt with what was reported; until then, this worker stops."""
        seen = view.memo.generation if view.memo else 0
        return self._reported is not None and seen > self._reported

    def _lost_reason(self, view: GuardView) -> LossReason | None:
        if not view.is_noticed:
            return LossReason.RESET
        known = self._memory.position
        return known.describe_change(GuardPosition.of(view)) if known else None

    async def _start_again(self, view: GuardView | None, binding: Binding | None) -> None:
        """Start a guard that knows that it was lost: it reads its past itself."""
        reason = LossReason.MISSING if view is None else LossReason.CLOSED
        run = view.run if view else await self._last_run()
        now = datetime.now(UTC)
        loss = Loss(
            reason=reason,
            at=now,
            run=run,
            is_complete=reason is LossReason.CLOSED,
            generation=self._known_generation(view),
        )
        snapshot = GuardSnapshot(
            binding=binding,
            generation=loss.generation + 1,
            decisions=self._memory.position.decisions if self._memory.position else 0,
            loss=loss,
            stopped=Stop(by="clawback", at=now, reason=f"the guard was lost: {reason}"),
        )
        _record(loss)
        await self._guard.start(snapshot)

    async def _report(self, reason: LossReason, view: GuardView) -> int:
        """Tell the guard that it was lost; return the newest generation that it cannot be."""
        known = self._memory.position
        is_older = reason is LossReason.OLDER
        # A restored database has lost the later runs. A reset has not: the run before it knew all.
        base = None if is_older else (known.run if known and known.run != view.run else None)
        if base is None and not is_older:
            base = await self._last_run()

        loss = Loss(
            reason=reason,
            at=datetime.now(UTC),
            run=base,
            is_complete=base is not None,
            generation=self._known_generation(view),
        )
        _record(loss)
        await self._guard.report_loss(loss)

        return loss.generation

    def _known_generation(self, view: GuardView | None) -> int:
        known = self._memory.position
        seen = view.memo.generation if view and view.memo else 0
        return max(seen, known.generation if known else 0)

    async def _last_run(self) -> str | None:
        async for run in self._guard.closed_runs():
            return run
        return None

    async def _is_untouched(self) -> bool:
        """Whether no worker was ever started in this namespace."""
        found = await self._guard.client.count_workflows(names.OUR_WORKFLOWS)
        # Retention deletes closed workflows, so their absence proves little; the schedule stays.
        return found.count == 0 and await self._read_watchdog() is None

    async def _read_binding(self, view: GuardView | None) -> Binding | None:
        if view is not None and view.memo is not None and view.memo.binding is not None:
            return view.memo.binding

        watchdog = await self._read_watchdog()
        if watchdog is None:
            return None

        try:
            binding = await watchdog.memo_value(names.BINDING_MEMO, default=None, type_hint=Binding)
        except PayloadRefused as refused:
            # Its memo stays as the first worker wrote it, under whatever key was current then.
            sentence = explain_refusal(refused, self._guard.client.namespace)
            raise PayloadKeyError(sentence) from refused
        return binding if isinstance(binding, Binding) else None

    async def _read_watchdog(self) -> ScheduleDescription | None:
        try:
            return await self._guard.client.get_schedule_handle(WATCHDOG_SCHEDULE).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def build_keeper(settings: Settings, client: Client) -> GuardKeeper:
    """Build what keeps the guard of this installation, with its memory in the state folder.

    Raises:
        SettingsError: no account is set.

    """
    if settings.account is None:
        raise SettingsError("CLOUDFLARE_ACCOUNT_ID: not set; a worker acts for one account")
    server = f"{client.namespace}@{client.service_client.config.target_host}"
    memory = GuardMemory(server, settings.folder / "guard.json")
    return GuardKeeper(GuardGateway(client), settings.account, memory)


def _record(loss: Loss) -> None:
    metrics.GUARD_LOSSES.labels(loss.reason.value).inc()
    log.error("worker.guard_lost", reason=loss.reason, run_id=loss.run)
