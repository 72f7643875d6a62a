"""The room of deciding: rules, the kill switch, the guard, held cases, channels and policies."""

import asyncio
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client

from bench.alerts.cause import Cause, Room
from bench.stage import eventually
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.reconciliation_gateway import RECONCILIATION_SCHEDULE

UNDONE = "quarantine_bec"
ASKING = """title: Ask before mail of a sender is moved
name: ask_first
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7d01
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  sel: {from|endswith: "@held.test"}
  condition: sel
level: high
response:
  mode: approve
  actions:
    - move: {destination: JunkEmail}
    - notify: {channel: soc}
tests:
  - {name: the sender, event: {from: a@held.test}, expect: match}
  - {name: another, event: {from: a@other.test}, expect: no match}
"""
BLOCKING = """title: Block a sender
name: block_one
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7d02
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  sel: {from|endswith: ["@blocked.test", "@expiring.test"]}
  condition: sel
level: high
response:
  mode: enforce
  group-by: [from]
  actions:
    - block_sender: {pattern: "{from}"}
tests:
  - {name: the sender, event: {from: a@blocked.test}, expect: match}
  - {name: another, event: {from: a@other.test}, expect: no match}
"""
BLOCK = "blocks/suspicious_delivered.yml"
LARGE = 1200
"""Messages of a campaign that the shipped limits hold."""
MANY = 60
SLOW = 35.0
"""Seconds after which a containment is slow, and some."""
SLOW_CAMPAIGNS = 8


class Deciding(Room):
    """What people and rules decide, and who is told."""

    name = "deciding"
    settings: ClassVar[Mapping[str, str]] = {"CLAWBACK_GUARD": "on"}

    @classmethod
    def prepare(cls, folder: Path, environment: dict[str, str], rules: Path) -> None:  # noqa: ARG003
        """Add the rules of this room; let one person undo what is malicious."""
        (rules / "ask_first.yml").write_text(ASKING)
        (rules / "block_one.yml").write_text(BLOCKING)
        safety = rules / "safety.yml"
        text = safety.read_text(encoding="utf-8")
        safety.write_text(re.sub(r"^undo:.*$", "undo: 'off'", text, flags=re.MULTILINE), "utf-8")

    def causes(self) -> Iterator[Cause]:
        """Give the causes in order."""
        asking, undone = {"RULE": "ask_first"}, {"RULE": UNDONE}
        yield Cause(("ClawbackRulesRefused",), self._write_bad_rule, self._remove_bad_rule)
        yield Cause(("ClawbackNoRules",), self._hide_rules, self._show_rules, settle=True)
        yield Cause(("ClawbackStopped",), self._stop)
        yield Cause(
            (
                "ClawbackContainmentSlowFast",
                "ClawbackContainmentSlow",
                "ClawbackContainmentSlowDay",
                "ClawbackContainmentSlowDays",
            ),
            self._delay,
        )
        yield Cause(("ClawbackForbiddenBlocks",), self._forbid_block)
        yield Cause(("ClawbackPoliciesUnmanaged",), self._lose_expiry, after=self._leave_shadow)
        yield Cause(
            ("ClawbackHeldCasesMany", "ClawbackHeldCaseUrgent", "ClawbackHeldCaseOld"),
            self._hold_many,
            words=asking,
        )
        yield Cause(("ClawbackNoProgress",), self._close_queue, self._open_queue)
        yield Cause(
            ("ClawbackChannelFailing",), self._refuse_notification, self._accept, {"CHANNEL": "soc"}
        )
        yield Cause(("ClawbackNotificationsWaiting",), self._delay_notification, self._accept)
        yield Cause(("ClawbackWorkUndone", "ClawbackRuleDemoted"), self._undo, words=undone)
        yield Cause(("ClawbackGuardHolds",), self._hold_large, words=undone)
        yield Cause(("ClawbackPayloadsRefused",), self._send_plaintext)
        yield Cause(("ClawbackGuardLost",), self._lose_guard)

    # ---- rules

    async def _write_bad_rule(self) -> None:
        (self.installation.rules / "bad.yml").write_text("title: 1\n")

    async def _remove_bad_rule(self) -> None:
        (self.installation.rules / "bad.yml").unlink()

    async def _hide_rules(self) -> None:
        """Mount another folder, as it were: it has building blocks only."""
        rules = self.installation.rules
        rules.rename(self._aside)
        rules.mkdir()
        for name in ("safety.yml", BLOCK):
            (rules / Path(name).name).write_bytes((self._aside / name).read_bytes())

    async def _show_rules(self) -> None:
        shutil.rmtree(self.installation.rules)
        self._aside.rename(self.installation.rules)

    @property
    def _aside(self) -> Path:
        return self.installation.folder / "rules-aside"

    # ---- the kill switch and the guard

    async def _stop(self) -> None:
        await self.installation.run("stop", "--reason", "bench")

    async def _delay(self) -> None:
        """Let containments wait for the kill switch longer than promised."""
        await self._stop()
        moved = self.installation.simulator.moves
        for number in range(SLOW_CAMPAIGNS):
            self._inject(1, 100 + number, f"slow{number}@slow.test", "MALICIOUS-BEC")
        await asyncio.sleep(SLOW)
        await self.installation.run("resume", "--reason", "bench")
        await self.installation.moved(moved + SLOW_CAMPAIGNS)

    async def _undo(self) -> None:
        moved = self.installation.simulator.moves
        self._inject(3, 200, "ceo@undone.test", "MALICIOUS-BEC")
        await self.installation.moved(moved + 3)
        await self.installation.run("undo", "rule", UNDONE, "--yes", "--reason", "bench")

    async def _hold_large(self) -> None:
        self._inject(LARGE, 99, "ceo@large.test", "MALICIOUS-BEC")

    async def _lose_guard(self) -> None:
        await self._client.get_workflow_handle(names.GUARD_ID).terminate("bench")

    async def _send_plaintext(self) -> None:
        stranger = await Client.connect(self.installation.server.address)
        await stranger.start_workflow(
            names.CASE, {"plan": {}}, id="case/bench/0", task_queue=names.WORKFLOW_QUEUE
        )

    # ---- held cases and channels

    async def _hold_many(self) -> None:
        self._hold(MANY, 300)

    async def _refuse_notification(self) -> None:
        self.installation.receiver.status = 400
        self._hold(1, 400)

    async def _delay_notification(self) -> None:
        self.installation.receiver.status = 503
        self._hold(2, 500)

    async def _accept(self) -> None:
        self.installation.receiver.status = 204

    async def _close_queue(self) -> None:
        await self._limit_queue(RateLimit(requests_per_second=0.0001))
        self._hold(2, 600)

    async def _open_queue(self) -> None:
        await self._limit_queue(None)

    async def _limit_queue(self, limit: RateLimit | None) -> None:
        """Let the server give out no task of the notification queue, or all again."""
        request = UpdateTaskQueueConfigRequest(
            namespace=self._client.namespace,
            task_queue=names.NOTIFICATION_QUEUE,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(
                rate_limit=limit, reason="bench"
            ),
        )
        await self._client.workflow_service.update_task_queue_config(request)

    # ---- policies

    async def _forbid_block(self) -> None:
        await self._block("a@blocked.test")
        safety = self.installation.rules / "safety.yml"
        text = safety.read_text(encoding="utf-8")
        safety.write_text(text.replace("suffixes:\n", "suffixes:\n    - blocked.test\n"), "utf-8")

    async def _lose_expiry(self) -> None:
        """Lose the workflow that ends a block, where nothing is adopted by itself."""
        await self._block("b@expiring.test")
        async for one in self._client.list_workflows("ExecutionStatus = 'Running'"):
            if one.id.startswith(names.expiry_id("")):
                await self._client.workflow_service.delete_workflow_execution(
                    DeleteWorkflowExecutionRequest(
                        namespace=self._client.namespace,
                        workflow_execution=WorkflowExecution(workflow_id=one.id),
                    )
                )
        self.installation.environment["CLAWBACK_MODE"] = "shadow"
        await self.installation.restart()
        await self._client.get_schedule_handle(RECONCILIATION_SCHEDULE).trigger()

    async def _leave_shadow(self) -> None:
        del self.installation.environment["CLAWBACK_MODE"]
        await self.installation.restart()

    async def _block(self, sender: str) -> None:
        before = len(self._blocks)
        self._inject(1, 700 + before, sender, "SPAM")

        async def is_blocked() -> bool | None:
            return len(self._blocks) > before or None

        await eventually(is_blocked, 60)
        await asyncio.sleep(3)

    @property
    def _blocks(self) -> Mapping[str, Any]:
        return self.installation.simulator.account.policies.get("block_senders", {})

    # ---- mail

    def _hold(self, number: int, seed: int) -> None:
        for index in range(number):
            self._inject(1, seed + index, f"a{seed + index}@held.test", "SPAM")

    def _inject(self, number: int, seed: int, sender: str, disposition: str) -> None:
        mail = outbreak(number, seed, sender=sender, disposition=disposition)
        self.installation.simulator.inject(mail)

    @property
    def _client(self) -> Client:
        return self.installation.server.client
