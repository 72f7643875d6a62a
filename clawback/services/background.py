"""What runs in a worker process beside workflows and activities, from its start to its end."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from clawback.rules.live import LiveRules, Reload
from clawback.services.audit_keeper import AuditKeeper
from clawback.services.guard_monitor import monitor_guard
from clawback.services.never_block_watcher import NeverBlockWatcher
from clawback.services.refusal_reporter import RefusalReporter
from clawback.services.rule_reload_reporter import RuleReloadReporter
from clawback.telemetry.supervisor import BackgroundTask, Supervisor
from clawback.temporal.guard_keeper import GuardKeeper


@dataclass(frozen=True)
class Services:
    """The background services of one worker process."""

    audit_keeper: AuditKeeper
    reload_reporter: RuleReloadReporter
    never_block: NeverBlockWatcher

    async def start(
        self,
        stack: AsyncExitStack,
        tasks: Supervisor,
        rules: LiveRules,
        keeper: GuardKeeper,
        refusals: RefusalReporter,
    ) -> None:
        """Report the rules that are loaded, and run every service until the stack is left."""

        async def on_reload(change: Reload) -> None:
            await self.reload_reporter.report(change)
            await self.never_block.compare()

        await on_reload(Reload(None, rules.current.version))
        audit = self.audit_keeper
        works = {
            BackgroundTask.RULES: lambda: rules.watch(on_reload),
            BackgroundTask.NEVER_BLOCK: self.never_block.watch,
            BackgroundTask.REFUSALS: lambda: refusals.watch(audit.writer),
            BackgroundTask.AUDIT: audit.watch,
            BackgroundTask.KILL_SWITCH: lambda: monitor_guard(keeper),
        }
        if audit.shipper is not None:
            works[BackgroundTask.SHIPPING] = audit.shipper.watch
        for task, work in works.items():
            await stack.enter_async_context(tasks.running(task, work))
