"""A running clawback whose simulator, settings and processes a cause may change."""

import asyncio
import json
import re
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from bench.alerts.receiver import Receiver
from bench.stage import FOREIGN, RULES, Server, eventually, temporal
from clawback.local import (
    ChildProcess,
    ProcessGroup,
    environment_with,
    free_port,
    worker_child,
)
from clawback.simulator import Simulator, SimulatorOptions, TokenScope, parse_faults, parse_rate

RATE = "1200/300"
_ASKS = re.compile(r"no terminal to ask on: repeat it with (--digest \S+)")
TOKEN = "bench"  # noqa: S105 - of a simulator

Perform = Callable[[Mapping[str, str]], Awaitable[dict[str, Any]]]
"""Carries a request out, with other parameters of its query if there are any."""
Answer = Callable[[Scope, Perform], Awaitable[Response]]


class AlteredSimulator(Simulator):
    """A simulator in this process: a cause may change its faults, account and answers."""

    def __init__(self) -> None:
        self.tokens = {TOKEN: TokenScope.WRITE}
        super().__init__(SimulatorOptions(rate=parse_rate(RATE), tokens=self.tokens))
        self._api = self.app

        # uvicorn takes a method for an application of an older kind.
        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            await self._dispatch(scope, receive, send)

        self.app = dispatch
        self._answers: dict[tuple[str, re.Pattern[str]], Answer] = {}
        self.add_domain("corp.example")

    def alter(self, method: str, path: str, answer: Answer) -> None:
        """Answer requests to paths with this end otherwise; `path` is a regular expression."""
        self._answers[method, re.compile(f"{path}$")] = answer

    def restore(self) -> None:
        """Answer as the API does, without faults and with the usual rate limit."""
        self._answers.clear()
        self.account.faults.rates = parse_faults("")
        self.account.limiter.change(parse_rate(RATE))

    def forget_domains(self) -> None:
        """Leave the account without a domain."""
        self.account.policies.pop("domains", None)

    def inject(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add mail."""
        self.add(lines)

    @property
    def moves(self) -> int:
        """How many messages were moved."""
        return sum(row["operation"] == "move" for row in self.account.ledger.rows)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        for (method, path), answer in list(self._answers.items()):
            if scope["method"] == method and path.search(scope["path"]):
                body = await _read(receive)

                async def perform(query: Mapping[str, str], body: bytes = body) -> dict[str, Any]:
                    return await self._perform(scope, body, query)

                await (await answer(scope, perform))(scope, receive, send)
                return
        await self._api(scope, receive, send)

    async def _perform(self, scope: Scope, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        changed = {"query_string": _encode(query)} if query else {}
        await self._api({**scope, **changed}, receive, send)
        document: dict[str, Any] = json.loads(b"".join(one.get("body", b"") for one in sent))
        return document


@dataclass
class Installation:
    """Everything of one installation; `environment` is its worker's, for the next start too."""

    folder: Path
    rules: Path
    server: Server
    simulator: AlteredSimulator
    receiver: Receiver
    environment: dict[str, str]
    worker: ChildProcess

    others: list[ChildProcess] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    @property
    def metrics(self) -> str:
        """Where the worker serves its metrics."""
        return self.environment["CLAWBACK_METRICS"]

    @property
    def state(self) -> Path:
        """The folder of the audit."""
        return Path(self.environment["CLAWBACK_STATE"])

    @property
    def token(self) -> Path:
        """The file of the API token."""
        return Path(self.environment["CLOUDFLARE_API_TOKEN_FILE"])

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command of clawback with the settings of the worker; exit code and output."""
        program = (sys.executable, "-m", "clawback", *arguments)
        child = await asyncio.create_subprocess_exec(
            *program, env=self.environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        output, errors = await child.communicate()
        text = (output + errors).decode(errors="replace")
        if (asked := _ASKS.search(text)) is not None:
            # It has shown what it would do, and asked: agree to just that.
            return await self.run(*arguments, *asked[1].split())
        return child.returncode or 0, text

    async def restart(self) -> None:
        """Kill the worker and wait until the next one is ready; it takes the settings as now."""
        before = self.worker.restarts
        self.worker.kill(expected=True)

        async def is_ready() -> bool | None:
            return (self.worker.restarts > before and await self.worker.spec.ready()) or None

        await eventually(is_ready, 60, 0.5)

    def fault(self, text: str) -> None:
        """Let the API fail so."""
        self.simulator.account.faults.rates = parse_faults(text)

    async def moved(self, number: int, patience: float = 60) -> None:
        """Wait until so many messages were moved in all."""

        async def are_moved() -> bool | None:
            return self.simulator.moves >= number or None

        await eventually(are_moved, patience)


Prepare = Callable[[Path, dict[str, str], Path], None]


@asynccontextmanager
async def install(
    name: str, settings: Mapping[str, str], dynamic: tuple[str, ...], prepare: Prepare
) -> AsyncIterator[Installation]:
    """Run an installation until the block is left."""
    simulator = AlteredSimulator()
    with tempfile.TemporaryDirectory(prefix=f"clawback-{name}-") as text:
        folder = Path(text)
        rules = Path(shutil.copytree(RULES, folder / "rules"))
        (folder / "token").write_text(TOKEN)
        async with (
            temporal(*dynamic) as server,
            simulator.serve() as url,
            Receiver().running() as receiver,
        ):
            environment = {**_environment(folder, server, url, receiver), **settings}
            prepare(folder, environment, rules)
            worker = worker_child(environment, environment["CLAWBACK_METRICS"], folder)
            installation = Installation(
                folder, rules, server, simulator, receiver, environment, worker
            )
            installation.addresses.append(installation.metrics)
            async with ProcessGroup((worker,)).running():
                yield installation


def _environment(folder: Path, server: Server, url: str, receiver: Receiver) -> dict[str, str]:
    channels = folder / "channels.toml"
    key = "whsec_" + "QUFB" * 10
    channels.write_text(f'[soc]\nkind = "webhook"\nurl = "{receiver.url}"\nkey = "{key}"\n')
    channels.chmod(0o600)
    return environment_with(
        {
            **server.environment,
            "CLAWBACK_API_URL": url,
            "CLAWBACK_STATE": str(folder / "state"),
            "CLAWBACK_METRICS": f"127.0.0.1:{free_port()}",
            "CLAWBACK_RULES": str(folder / "rules"),
            "CLAWBACK_CHANNELS": str(channels),
            "CLAWBACK_INTERVAL": "2s",
            "CLAWBACK_LOG_FORMAT": "json",
            "CLOUDFLARE_API_TOKEN_FILE": str(folder / "token"),
            "CLOUDFLARE_ACCOUNT_ID": "0" * 32,
        },
        without=FOREIGN,
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _encode(query: Mapping[str, str]) -> bytes:
    return urlencode(query).encode()
