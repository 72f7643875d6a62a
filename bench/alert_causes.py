"""What provokes alerts in a running clawback, what ends them, and what their runbooks run."""

import asyncio
import os
import re
import shlex
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from json import loads
from pathlib import Path

from temporalio.client import Client

from bench.stage import Responder
from clawback.local import environment_with, fetch
from clawback.simulator import outbreak
from clawback.temporal import names

RUNBOOKS = Path(__file__).parents[1] / "docs" / "runbooks"
_COMMAND = re.compile(r"^\$ clawback (.*?)\s*(?:#.*)?$", re.MULTILINE)
_RULE = "quarantine_bec"
_LARGE = 1200
"""Messages of a campaign that the shipped limits hold."""
_DEATHS = 5

Change = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Cause:
    """What makes an alert fire, and what ends that; None: it ends with the window of the alert."""

    alert: str
    provoke: Change
    end: Change | None = None


class Causes:
    """Everything that is done to one running clawback, in an order that leaves nothing over."""

    def __init__(self, responder: Responder, rules: Path) -> None:
        self._responder, self._rules = responder, rules

    def __iter__(self) -> Iterator[Cause]:
        yield Cause("ClawbackRulesRefused", self._write_bad_rule, self._remove_bad_rule)
        yield Cause("ClawbackStopped", self._stop, self._resume)
        yield Cause("ClawbackRateLimited", self._fault("429=1"), self._fault(""))
        yield Cause("ClawbackApiIntercepted", self._fault("intermediary=0.5"), self._fault(""))
        yield Cause("ClawbackPollLag", self._fault("500=1"), self._fault(""))
        yield Cause(
            "ClawbackRateLimitNearlyExhausted", self._limit("90/300"), self._limit("1200/300")
        )
        yield Cause("ClawbackPollPaused", self._poll("pause"), self._poll("resume"))
        yield Cause("ClawbackPayloadsRefused", self._send_plaintext)
        yield Cause("ClawbackWorkUndone", self._undo)
        # The undo has demoted it.
        yield Cause("ClawbackRuleDemoted", self._wait, self._confirm)
        yield Cause("ClawbackGuardHolds", self._hold)
        yield Cause("ClawbackHeldCaseUrgent", self._hold, self._deny)
        yield Cause("ClawbackGuardLost", self._lose_guard)
        yield Cause("ClawbackWorkerAbsent", self._freeze, self._thaw)
        yield Cause("ClawbackWorkerRestarts", self._kill_worker)

    async def run(self, *arguments: str) -> tuple[int, bytes]:
        """Run a command of clawback against it; return exit code and stdout."""
        changes = {
            **self._responder.server.environment,
            "CLAWBACK_API_URL": self._responder.witness.api,
            "CLAWBACK_METRICS": self._responder.metrics,
            "CLAWBACK_STATE": str(self._responder.state),
            "CLAWBACK_RULES": str(self._rules),
        }
        environment = environment_with(changes, without=("CLAWBACK_", "TEMPORAL_", "CLOUDFLARE_"))
        program = (sys.executable, "-m", "clawback", *arguments)
        child = await asyncio.create_subprocess_exec(
            *program, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
        output, _ = await child.communicate()
        return child.returncode or 0, output

    async def follow_runbooks(self) -> tuple[int, list[str]]:
        """Run every command of the diagnoses of all runbooks once.

        Return their number, and those that could not do what they are for: an exit code above 1.
        """
        commands: set[str] = set()
        for page in RUNBOOKS.glob("*.md"):
            text = page.read_text(encoding="utf-8").partition("## Diagnosis")[2]
            commands |= set(_COMMAND.findall(text.partition("## Mitigation")[0]))
        codes = {one: (await self.run(*shlex.split(one)))[0] for one in sorted(commands)}
        return len(codes), [f"{command} ({code})" for command, code in codes.items() if code > 1]

    # ---- causes

    async def _write_bad_rule(self) -> None:
        (self._rules / "bad.yml").write_text("title: 1\n")

    async def _remove_bad_rule(self) -> None:
        (self._rules / "bad.yml").unlink()

    async def _stop(self) -> None:
        await self.run("stop", "--reason", "bench")

    async def _resume(self) -> None:
        await self.run("resume", "--reason", "bench")

    async def _undo(self) -> None:
        moved = len(await self._responder.witness.changes())
        await self._responder.witness.inject(outbreak(3, seed=moved + 1), stamp=True)
        async with asyncio.timeout(60):
            while len(await self._responder.witness.changes()) < moved + 3:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        await self.run("undo", "rule", _RULE, "--yes", "--reason", "bench")

    async def _wait(self) -> None:
        await asyncio.sleep(1)

    async def _confirm(self) -> None:
        await self.run("rules", "confirm", _RULE)

    async def _hold(self) -> None:
        mail = outbreak(_LARGE, seed=99, sender="ceo@large.test")
        await self._responder.witness.inject(mail, stamp=True)

    async def _deny(self) -> None:
        _, listed = await self.run("case", "list", "--state", "held", "--limit", "500", "--json")
        for case in loads(listed or b"[]"):
            await self.run("case", "deny", case["id"], "--reason", "bench")

    async def _send_plaintext(self) -> None:
        stranger = await Client.connect(self._responder.server.address)
        await stranger.start_workflow(
            names.CASE, {"plan": {}}, id="case/bench/0", task_queue=names.WORKFLOW_QUEUE
        )

    async def _lose_guard(self) -> None:
        await self._responder.server.client.get_workflow_handle(names.GUARD_ID).terminate("bench")

    async def _freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    async def _thaw(self) -> None:
        self._signal(signal.SIGCONT)
        await self._resume()

    async def _kill_worker(self) -> None:
        for _ in range(_DEATHS):
            self._responder.worker.kill(expected=True)
            await asyncio.sleep(12)

    def _signal(self, number: int) -> None:
        if (pid := self._responder.worker.pid) is not None:
            os.kill(pid, number)

    def _poll(self, verb: str) -> Change:
        return lambda: self.run("poll", verb, "message")

    def _fault(self, text: str) -> Change:
        return lambda: self._control("faults", text)

    def _limit(self, text: str) -> Change:
        return lambda: self._control("rate-limit", text)

    async def _control(self, what: str, text: str) -> None:
        url = f"http://127.0.0.1:{self._responder.witness.port}/_sim/{what}"
        await asyncio.to_thread(fetch, url, text.encode())
