"""The room of reading: the API, the pollers, and what single records and searches cause."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.types import Scope
from temporalio.client import Client

from bench.alerts.cause import Cause, Change, Room
from bench.alerts.installation import TOKEN, Perform
from clawback.model.events import EventKind
from clawback.simulator import outbreak, parse_rate
from clawback.simulator.responses import Refusal, fail
from clawback.temporal import names

SEARCH = "/investigate"
PAGE = 20
SEARCHING = """title: Move older mail of a sender
name: search_older
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7d03
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  sel: {from: "ceo@searched.test"}
  condition: sel
response:
  mode: approve
  group-by: [from]
  actions:
    - bulk_move: {destination: JunkEmail, sender: "{from}"}
tests:
  - {name: the sender, event: {from: ceo@searched.test}, expect: match}
  - {name: another, event: {from: ceo@other.test}, expect: no match}
"""


class Reading(Room):
    """What clawback reads, and what the API makes of its requests."""

    name = "reading"
    settings: ClassVar[Mapping[str, str]] = {"CLAWBACK_PAGE_SIZE": str(PAGE)}

    async def open(self) -> None:
        """Let the worker start again with an API that does not tell its domains."""
        (self.installation.rules / "search_older.yml").write_text(SEARCHING)
        self.installation.simulator.forget_domains()
        self._refuse("GET", "/settings/domains", 403)
        await self.installation.restart()

    def causes(self) -> Iterator[Cause]:
        """Give the causes in order."""
        yield Cause(("ClawbackOwnDomainsUnknown",), self._wait, self._restore_and_restart)
        yield Cause(("ClawbackNoOwnDomains",), self._wait, self._add_domain)
        yield Cause(("ClawbackApiRefused",), self._write_token("wrong"), self._write_token(TOKEN))
        yield Cause(("ClawbackSecretUnreadable",), self._write_token(""), self._write_token(TOKEN))
        yield Cause(("ClawbackRateLimited",), self._fault("429=1"), self._restore)
        yield Cause(("ClawbackApiIntercepted",), self._fault("intermediary=0.5"), self._restore)
        yield Cause(("ClawbackRateLimitNearlyExhausted",), self._lower_limit, self._restore)
        yield Cause(("ClawbackRecordsRejected",), self._spoil_record, self._restore)
        yield Cause(("ClawbackListCutOff",), self._cut_list, self._restore)
        yield Cause(("ClawbackOutcomesFailed",), self._refuse_moves, self._restore)
        yield Cause(("ClawbackOutcomesUnknown",), self._lose_moves, self._restore)
        yield Cause(("ClawbackSearchStrangers",), self._widen_search, self._restore)
        yield Cause(("ClawbackPollLag",), self._fault("500=1"), self._restore, settle=True)
        yield Cause(("ClawbackNothingPolled",), self._fail_from_start, self._restore)
        yield Cause(
            ("ClawbackPollPaused",), self._pause, words={"SOURCE": EventKind.PHISHGUARD_REPORT}
        )
        yield Cause(
            ("ClawbackPollStateLost",),
            self._lose_state,
            words={"TIME": "1h", "SOURCE": EventKind.PHISHGUARD_REPORT},
        )

    # ---- the account and its token

    async def _wait(self) -> None:
        """Do nothing: the cause is there from the start, or left by the one before."""

    async def _restore(self) -> None:
        self.installation.simulator.restore()

    async def _restore_and_restart(self) -> None:
        self.installation.simulator.restore()
        await self.installation.restart()

    async def _add_domain(self) -> None:
        self.installation.simulator.add_domain("corp.example")
        await self.installation.restart()

    def _write_token(self, token: str) -> Change:
        async def write() -> None:
            self.installation.token.write_text(token)

        return write

    # ---- faults

    def _fault(self, text: str) -> Change:
        async def fault() -> None:
            self.installation.fault(text)

        return fault

    async def _lower_limit(self) -> None:
        self.installation.simulator.account.limiter.change(parse_rate("90/300"))

    async def _fail_from_start(self) -> None:
        self.installation.fault("500=1")
        await self.installation.restart()

    def _refuse(self, method: str, path: str, status: int) -> None:
        async def refuse(_: Scope, __: Perform) -> Response:
            return fail(Refusal(status, 1000, "refused by the bench"))

        self.installation.simulator.alter(method, path, refuse)

    # ---- pollers

    async def _pause(self) -> None:
        await self.installation.run(
            "poll", "pause", EventKind.PHISHGUARD_REPORT, "--reason", "bench"
        )

    async def _lose_state(self) -> None:
        """Replace the last run of a poller by one that nobody can read."""
        id_ = names.poller_id(EventKind.PHISHGUARD_REPORT)
        await self.installation.server.client.get_workflow_handle(id_).terminate("bench")
        stranger = await Client.connect(self.installation.server.address)
        handle = await stranger.start_workflow(
            names.POLLER, {"plain": 1}, id=id_, task_queue="nowhere"
        )
        await handle.terminate("bench")
        await self.installation.restart()

    # ---- records

    async def _spoil_record(self) -> None:
        async def answer(_: Scope, perform: Perform) -> Response:
            document = await perform({})
            document["result"].append({"subject": "no id"})
            return JSONResponse(document)

        self.installation.simulator.alter("GET", SEARCH, answer)

    async def _cut_list(self) -> None:
        async def answer(_: Scope, perform: Perform) -> Response:
            document = await perform({})
            # Not null, which is the documented end of a list.
            document["result_info"].pop("next")
            return JSONResponse(document)

        self.installation.simulator.alter("GET", SEARCH, answer)
        at = datetime.now(UTC).replace(microsecond=0)
        mail = list(outbreak(3 * PAGE, seed=1, disposition="SPAM", start=at))
        self.installation.simulator.inject(mail)

    async def _refuse_moves(self) -> None:
        async def answer(_: Scope, perform: Perform) -> Response:
            document = await perform({})
            for item in document["result"]:
                item |= {"success": False, "status": "not allowed here"}
            return JSONResponse(document)

        self.installation.simulator.alter("POST", SEARCH + "/move", answer)
        self.installation.simulator.inject(outbreak(3, seed=2, sender="a@failed.test"))

    async def _lose_moves(self) -> None:
        """Lose the response to a move, and then every trace of the messages."""
        mail = list(outbreak(3, seed=3, sender="a@unknown.test"))

        async def answer(_: Scope, __: Perform) -> Response:
            for line in mail:
                self._refuse("GET", f"{SEARCH}/{line['message']['id']}", 404)
            return Response(b"{", 200, media_type="application/json")

        self.installation.simulator.alter("POST", SEARCH + "/move", answer)
        self.installation.simulator.inject(mail)

    async def _widen_search(self) -> None:
        async def answer(scope: Scope, perform: Perform) -> Response:
            query = dict(parse_qsl(scope["query_string"].decode()))
            query.pop("sender", None)
            return JSONResponse(await perform(query))

        self.installation.simulator.alter("GET", SEARCH, answer)
        self.installation.simulator.inject(outbreak(2, seed=4, sender="ceo@searched.test"))
