"""`clawback api` on the simulator.

A command for every operation, bounded lists, and changes that are asked for, recorded, made once.
"""

import asyncio
import inspect
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.audit import read_records
from clawback.cli.api import GROUPS, read
from clawback.cli.api.output import COLUMNS, DROP_FIRST, print_records, print_result
from clawback.cli.api.parameters import HELP, options_of
from clawback.cli.exits import ExitCode
from clawback.cli.program import load, run
from clawback.cloudflare import Message
from clawback.cloudflare.operation_catalogue import OPERATIONS, Operation
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import WireField
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination, Disposition
from clawback.simulator import Simulator, SimulatorOptions, parse_faults
from clawback.simulator.faults import FaultSampler
from clawback.simulator.faults.base import RequestFault
from clawback.simulator.faults.lost_answer import LostAnswer
from clawback.simulator.faults.reset import Reset
from tests.contract.checked_client import mail
from tests.workflows.deployment import keeper_of

RULES = Path(__file__).parents[2] / "rules"
ONE = "POST1-2026-11-22T10:00:00-1"
DO_IT = ("--yes", "--force", "--by", "ana")


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Simulator]:
    """Serve a simulator with seven messages, and let this process's environment name it."""
    simulator = Simulator(SimulatorOptions())
    simulator.add([mail(number) for number in range(7)])
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
    async with simulator.serve() as url:
        for name, value in {"API_URL": url, "STATE": str(tmp_path), "RULES": str(RULES)}.items():
            monkeypatch.setenv(f"CLAWBACK_{name}", value)
        yield simulator


async def api(*words: str) -> int:
    """Run `clawback api` in a thread, while the simulator answers in this loop; the exit code."""
    return await asyncio.to_thread(run, ["api", *words])


def records(tmp_path: Path) -> list[tuple[str | None, ...]]:
    """What the audit says of changes by hand: command, target, outcome, for whom."""
    found = read_records(tmp_path / "simulator" / "audit.jsonl")
    return [
        (one.action, one.target, one.outcome, one.on_behalf_of)
        for one in found
        if one.kind is RecordKind.BY_HAND
    ]


def operations_done(simulator: Simulator) -> list[str]:
    return [str(row["operation"]) for row in simulator.account.ledger.since(0)]


# ---- the tree


def test_every_operation_is_a_command_and_nothing_else_is() -> None:
    """Client, commands and table are the same; every option says what it is."""
    tree: Any = load("api")
    commands = {(name, verb) for name, group in tree.commands.items() for verb in group.commands}
    assert commands == {operation.command for operation in OPERATIONS}
    assert list(tree.commands) == list(GROUPS)
    assert all(
        parameter.help
        for group in tree.commands.values()
        for one in group.commands.values()
        for parameter in one.params
    )
    used = {option.name for operation in OPERATIONS for option in options_of(operation)}
    assert used == set(HELP)


def test_every_list_has_columns_that_its_records_have() -> None:
    """A table of fields that nobody sends would be empty."""
    lists = {operation.name: record_of(operation) for operation in OPERATIONS}
    assert {name for name, record in lists.items() if record} == set(COLUMNS)
    for name, record in lists.items():
        if record:
            assert set(COLUMNS[name]) <= {*fields_of(record), "from"}, name
            assert set(DROP_FIRST.get(name, ())) < set(COLUMNS[name]), name


def fields_of(record: type[Any]) -> set[str]:
    """The typed fields of a record, inherited ones included."""
    return {name for name in dir(record) if isinstance(getattr(record, name), WireField)}


def record_of(operation: Operation) -> Any:
    """The record that an operation gives several of."""
    returned = inspect.signature(operation.function).return_annotation
    if returned is inspect.Signature.empty or not getattr(returned, "__origin__", None):
        return None
    if returned.__origin__ is not Page and returned.__origin__ is not tuple:
        return None
    (record, *_) = returned.__args__
    return record


def command_line(operation: Operation, tmp_path: Path) -> list[str]:
    """The shortest command line of an operation."""
    (changes := tmp_path / "changes.json").write_text('{"deletes": ["x"]}')
    told = {Path: str(changes), Destination: "JunkEmail", Disposition: "SPAM"}
    words = list(operation.command)
    for option in options_of(operation):
        flags = getattr(option.default, "param_decls", None)
        if flags is None or option.default.default is ...:
            words += [
                *(flags or ()),
                "1h" if option.name == "start" else told.get(option.annotation, "x"),
            ]
        elif option.name in {"comments", "notes", "folder"} and operation.command[1] == "edit":
            words += [flags[0], "x"]
    more = {"preview": ["--output", str(tmp_path / "x.png")], "make-preview": ["--json"]}
    return words + (
        ["--sender", "x"]
        if operation.name in {"move_all", "release_all"}
        else more.get(operation.command[1], [])
    )


async def test_every_command_asks_what_its_operation_says(
    simulator: Simulator, tmp_path: Path
) -> None:
    """Each command in its shortest form reaches its endpoint, and handles any response."""
    for operation in OPERATIONS:
        before = len(simulator.account.requests.entries)
        is_reading = operation.method == "GET" or operation.name == "make_preview"
        code = await api(*command_line(operation, tmp_path), *(() if is_reading else DO_IT))
        assert code in {ExitCode.OK, ExitCode.NO, ExitCode.REFUSED}, operation
        asked = [
            (one.method, re.sub(r"\{\w+\}", "{id}", one.template))
            for one in list(simulator.account.requests.entries)[before:]
        ]
        assert (
            operation.method,
            f"/client/v4/accounts/{{id}}/email-security/{operation.endpoint}",
        ) in asked, operation


# ---- reading


async def test_a_list_is_a_table_up_to_its_limit(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of seven, and a word that there are more; all of them without one."""
    assert await api("investigate", "list", "--since", "1d", "--limit", "3") == ExitCode.OK
    shown = capsys.readouterr()
    assert (shown.out.count("WireModel"), "There are more than 3" in shown.err) == (3, True)
    assert (
        await api("investigate", "list", "--disposition", "MALICIOUS", "--limit", "7")
        == ExitCode.OK
    )
    shown = capsys.readouterr()
    assert (shown.out.count("WireModel"), shown.err) == (7, "")
    assert await api("investigate", "list", "--disposition", "SPAM") == ExitCode.OK
    assert capsys.readouterr().out == "No records.\n"
    assert len(simulator.account.requests.entries) == 3


async def test_json_is_a_line_for_each_record(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one document for a single thing; both as the API gave them."""
    simulator.add([mail(number) for number in range(7, 1_007)])
    assert await api("investigate", "list", "--json", "--limit", "1005") == ExitCode.OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len({line["id"] for line in lines}) == len(lines) == 1_005
    assert await api("investigate", "get", ONE, "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["subject"] == "WireModel 1"


async def test_what_a_mail_says_does_not_steer_the_terminal(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters of a subject are blanks."""
    simulator.add([mail(8, subject="\x1b[2J\x07owned\nnext")])
    for words in (("list",), ("get", "POST8-2026-11-22T10:00:00-8")):
        assert await api("investigate", *words) == ExitCode.OK
        assert not {"\x1b", "\x07"} & set(shown := capsys.readouterr().out)
        assert " [2J owned next" in shown


def test_a_mail_as_it_is_does_not_either(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal its control characters are blanks; in a pipe it is left as it is."""
    raw = next(one for one in OPERATIONS if one.name == "raw")
    print_result(raw, "a\x1b[2Jb\n\tc\n", as_json=False)
    assert capsys.readouterr().out == "a\x1b[2Jb\n\tc\n"
    monkeypatch.setattr("sys.stdout", screen := Screen())
    print_result(raw, "a\x1b[2Jb\n\tc\n", as_json=False)
    assert screen.getvalue() == "a [2Jb\n\tc\n"


def test_a_narrow_terminal_keeps_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subject and id stay, the id whole.

    A subject that is too long is shortened, in a pipe nothing is.
    """
    listing = next(one for one in OPERATIONS if one.name == "messages")
    identity, subject = "4Njp3P0STMz2c02Q-2024-01-05T10:00:00-12345678", "Unusual sign-in " * 5
    found = [
        Message.parse(
            {
                "id": identity,
                "subject": subject,
                "from": "a@b.test",
                "to": ["c@d.test"],
                "final_disposition": "SPAM",
            }
        )
    ]
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sys.stdout", screen := Screen())
    print_records(listing, found)
    head, line = re.sub(r"\x1b\[\d*m", "", screen.getvalue()).splitlines()
    assert head.split() == ["subject", "id"]
    assert (identity in line, "…" in line, "a@b.test" in line) == (True, True, False)
    monkeypatch.setattr("sys.stdout", pipe := io.StringIO())
    print_records(listing, found)
    assert subject.strip() in pipe.getvalue()


class Screen(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


async def test_what_there_is_not_what_is_refused_and_what_makes_no_sense(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has its exit code and one sentence."""
    assert await api("investigate", "get", "nobody") == ExitCode.NO
    assert await api("investigate", "get", "") == ExitCode.USAGE
    assert await api("investigate", "list", "--since", "yesterday") == ExitCode.USAGE
    assert await api("submissions", "list", "--type", "NOBODY") == ExitCode.REFUSED
    simulator.account.faults.rates = parse_faults("500=1")
    assert await api("investigate", "list") == ExitCode.ENVIRONMENT
    assert len(capsys.readouterr().err.splitlines()) == 5


async def test_whoever_waits_is_told(
    simulator: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From some seconds on, on stderr."""
    monkeypatch.setattr(read, "_REPORT_EVERY", 0.05)
    simulator.account.faults.rates = parse_faults("slow=1:0.3")
    assert await api("investigate", "get", ONE) == ExitCode.OK
    assert "Waiting for Cloudflare" in capsys.readouterr().err


# ---- changing


async def test_a_change_needs_a_yes(
    simulator: Simulator, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without a terminal it says what it would do, and does nothing, not even on record."""
    assert await api("investigate", "move", ONE, "--to", "JunkEmail", "--force") == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "POST investigate/move of the simulator" in said
    assert "destination  JunkEmail" in said
    (changes := tmp_path / "c.json").write_text(
        '{"deletes": ["x"], "posts": [{"pattern": "b.test"}]}'
    )
    assert await api("trusted-domains", "batch", str(changes), "--force") == ExitCode.USAGE
    assert re.search(r"deletes  x\n  posts    .*b\.test", capsys.readouterr().err)
    assert (operations_done(simulator), (tmp_path / "simulator" / "audit.jsonl").exists()) == (
        [],
        False,
    )


class Terminal(io.StringIO):
    """Somebody who sits there and types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "code", "done"),
    [("n\n", ExitCode.NO, []), ("y\n", ExitCode.OK, ["move"]), ("", ExitCode.INTERRUPTED, [])],
)
async def test_on_a_terminal_it_asks(
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: ExitCode,
    done: list[str],
) -> None:
    """Only a yes does it; whoever goes away has not said yes."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert await api("investigate", "move", ONE, "--to", "JunkEmail", "--force") == code
    assert operations_done(simulator) == done


async def test_a_change_is_made_once_and_recorded_before_and_after(
    simulator: Simulator, tmp_path: Path
) -> None:
    """One line of the audit for each target; what failed in part ends with 1."""
    assert await api("investigate", "move", ONE, "--to", "JunkEmail", *DO_IT) == ExitCode.OK
    assert await api("investigate", "move", ONE, "nobody", "--to", "Inbox", *DO_IT) == ExitCode.NO
    assert operations_done(simulator) == ["move", "move"]
    command, second = "investigate move", "nobody"
    assert records(tmp_path) == [
        (command, ONE, "begun", "ana"),
        (command, ONE, "done", "ana"),
        *((command, target, "begun", "ana") for target in (ONE, second)),
        *((command, target, "failed:in_part", "ana") for target in (ONE, second)),
    ]


class FirstRequestOnly(FaultSampler):
    """Gives the first request a fault, and no other."""

    def __init__(self, fault: type[RequestFault]) -> None:
        super().__init__(0, parse_faults(""))
        self._next: tuple[type[RequestFault], ...] = (fault,)

    def choose(self) -> tuple[type[RequestFault], ...]:
        chosen, self._next = self._next, ()
        return chosen


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [(LostAnswer, 0, "done"), (Reset, 1, "failed:not_done")],
)
async def test_what_a_lost_answer_did_is_found_out(
    simulator: Simulator, tmp_path: Path, fault: type[RequestFault], code: int, outcome: str
) -> None:
    """It is never done again: done is done, and what was not is left to the person."""
    simulator.account.faults = FirstRequestOnly(fault)
    assert await api("investigate", "move", ONE, "--to", "JunkEmail", *DO_IT) == code
    assert operations_done(simulator) == ["move"] * (code == 0)
    assert [one[2] for one in records(tmp_path)] == ["begun", outcome]
    assert [one.method for one in simulator.account.requests.entries] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            ("block-senders", "create", "--pattern", "paypal.com", "--pattern-type", "DOMAIN"),
            ExitCode.NO,
        ),
        (
            (
                "block-senders",
                "create",
                "--pattern",
                "@pay.al",
                "--pattern-type",
                "EMAIL",
                "--is-regex",
            ),
            ExitCode.NO,
        ),
        (("block-senders", "edit", "x", "--pattern", "paypal.com"), ExitCode.NO),
        (("bulk", "move", "--since", "1h", "--to", "JunkEmail"), ExitCode.USAGE),
        (("investigate", "move", ONE, "--to", "RecoverableItemsPurges"), ExitCode.NO),
        (("investigate", "move", "", "--to", "JunkEmail"), ExitCode.USAGE),
        (("trusted-domains", "batch", "nowhere.json"), ExitCode.USAGE),
    ],
)
async def test_what_must_not_be_done_is_not(
    simulator: Simulator, words: tuple[str, ...], code: ExitCode
) -> None:
    """The never-block list, the selection of a bulk job and the hard-delete setting apply."""
    assert await api(*words, *DO_IT) == code
    assert operations_done(simulator) == []


async def test_a_batch_cannot_smuggle_a_block_in(simulator: Simulator, tmp_path: Path) -> None:
    """Each of its patterns is held against the list."""
    (changes := tmp_path / "c.json").write_text(
        json.dumps(
            {
                "posts": [
                    {"pattern": "x@paypal.test", "pattern_type": "EMAIL", "is_regex": False},
                    {"pattern": "gmail.com"},
                ]
            }
        )
    )
    assert await api("block-senders", "batch", str(changes), *DO_IT) == ExitCode.NO
    assert operations_done(simulator) == []


async def test_the_kill_switch_holds_for_people_too(
    simulator: Simulator,
    temporal: Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where nobody allows acting, or it is stopped, a change needs a word more.

    Reading does not.
    """
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    change = ("investigate", "move", ONE, "--to", "JunkEmail", "--yes")
    assert await api(*change) == ExitCode.NO
    assert "--force overrides" in capsys.readouterr().err
    await keeper_of(temporal).open()
    assert await api(*change) == ExitCode.OK
    assert await api("investigate", "get", ONE) == ExitCode.OK
    assert operations_done(simulator) == ["move"]


def test_a_window_ends_now_unless_told() -> None:
    """Lists read the last day; a job must be told since when."""
    (listing, job) = (
        next(one for one in OPERATIONS if one.name == name) for name in ("messages", "move_all")
    )
    since = {
        one.name: one.default.default
        for operation in (listing,)
        for one in options_of(operation)
        if one.name in ("start", "end")
    }
    assert since == {"start": "1d", "end": ""}
    assert next(one for one in options_of(job) if one.name == "start").default.default is ...
