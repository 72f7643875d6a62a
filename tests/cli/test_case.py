"""Cases as an analyst meets them.

Lists that find, a page that tells everything, a watch that ends; against a real server.
"""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from rich.cells import cell_len
from rich.console import Console
from temporalio.client import Client

from clawback.actions import BlockSender, Move, Reclassify
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.summary import CaseSummary
from clawback.cli.case.table import COLUMNS, DROP_FIRST, cut_to_width, table_rows
from clawback.cli.exits import ExitCode
from clawback.cli.output import build_table
from clawback.identity.local import local_identity
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.simulator import Simulator, outbreak
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine
from tests.cli.command import COMMAND, clawback, environment_of
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of
from tests.workflows.test_case import simulated

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MOVE = Move(destination=Destination.JUNK)
ACTED = CasePlan(
    rule="quarantine_bec",
    version="v1",
    title="Quarantine it",
    mode=Mode.ENFORCE,
    group={"edf_hash": "a"},
    actions=(
        MOVE,
        Reclassify(disposition=Disposition.MALICIOUS),
        BlockSender(pattern="a@sender.example"),
    ),
)
HELD = CasePlan(
    rule="other", version="v1", mode=Mode.APPROVE, group={"edf_hash": "b"}, actions=(MOVE,)
)
SHADOW = CasePlan(
    rule="other", version="v1", mode=Mode.SHADOW, group={"edf_hash": "c"}, actions=(MOVE,)
)


@pytest.fixture
async def deployment(temporal: Client, tmp_path: Path) -> AsyncIterator[Deployment]:
    """Three cases: one that acted, one that is held, one that is closed and in shadow mode."""
    mail = [list(outbreak(2, seed, sender=f"s{seed}@bad.test")) for seed in range(3)]
    async with deployed(
        temporal, simulated([line for lines in mail for line in lines]), tmp_path
    ) as deployment:
        await deployment.signal_case(ACTED, *map(match_of, mail[0]))
        await deployment.signal_case(HELD, *map(match_of, mail[1]))
        await deployment.signal_case(
            SHADOW, *map(match_of, mail[2]), pace=CaseTiming(linger=timedelta())
        )
        await deployment.settled(ACTED.case_id)
        await deployment.settled(HELD.case_id, CaseState.HELD)
        await temporal.get_workflow_handle(SHADOW.case_id).result()
        await eventually(lambda: _indexed(deployment))
        yield deployment


async def _indexed(deployment: Deployment) -> bool | None:
    return (
        sorted([line.state for line in await deployment.cases.find()])
        == ["closed", "held", "settled"]
        or None
    )


async def case(deployment: Deployment, *arguments: str) -> CompletedProcess[str]:
    """Run `clawback case` against the server of a deployment."""
    address = deployment.client.service_client.config.target_host
    return await asyncio.to_thread(
        clawback, "case", *arguments, TEMPORAL_ADDRESS=address, CLAWBACK_RULES=str(RULES)
    )


async def ids(deployment: Deployment, *arguments: str) -> list[str]:
    """Which cases a list gives."""
    done = await case(deployment, "list", "--json", *arguments)
    assert done.returncode == ExitCode.OK, done.stderr
    return [line["id"] for line in json.loads(done.stdout)]


async def test_a_case_becomes_a_rule(deployment: Deployment) -> None:
    """`rules new --from-case` asks for what the messages of the case share."""
    known = (await deployment.cases.status(ACTED.case_id)).snapshot
    assert known is not None
    lines = [
        {"message": {"id": id_, "from": f"{number}@bad.test", "subject": "Your parcel is waiting"}}
        for number, id_ in enumerate(known.targets)
    ]
    simulator = Simulator()
    simulator.add(lines)
    async with simulator.serve() as url:
        done = await asyncio.to_thread(
            clawback,
            *("rules", "new", "--from-case", ACTED.case_id, "--out", "-"),
            TEMPORAL_ADDRESS=deployment.client.service_client.config.target_host,
            CLAWBACK_SIMULATOR_PORT=str(httpx.URL(url).port),
        )
    assert 'from|endswith: "@bad.test"' in done.stdout, done.stderr
    assert "name: event 2 of those" in done.stdout


async def test_a_list_finds_by_whatever_is_known(deployment: Deployment) -> None:
    """CaseState, rule, mode, age, sender (or its hash), message (both of its ids), mailbox.

    Those that wait for people come first.
    """
    held, acted, shadow = HELD.case_id, ACTED.case_id, SHADOW.case_id
    target: dict[str, Any] = next(outbreak(1, 0, sender="s0@bad.test"))["message"]
    wanted = {
        (): [held, shadow, acted],
        ("--state", "held"): [held],
        ("--rule", "other"): [held, shadow],
        ("--mode", "enforce"): [acted],
        ("--level", "medium"): [held, shadow, acted],
        ("--level", "high"): [],
        ("--since", "1h"): [held, shadow, acted],
        ("--until", "1h"): [],
        ("--sender", "S0@bad.test"): [acted],
        ("--sender", "s1@bad.test"): [held],
        ("--message", "nobody's"): [],
        ("--mailbox", target["client_recipients"][0]): [shadow, held, acted],
    }
    found = dict(
        zip(
            wanted,
            await asyncio.gather(*(ids(deployment, *arguments) for arguments in wanted)),
            strict=True,
        )
    )
    order = ("--mailbox", target["client_recipients"][0])
    assert sorted(found.pop(order)) == sorted(wanted.pop(order))
    assert found == wanted
    memory = (await deployment.cases.status(acted)).snapshot
    assert memory is not None
    one = next(iter(memory.targets.values()))
    assert one.message_id is not None
    assert (
        await ids(deployment, "--message", one.id)
        == await ids(deployment, "--message", one.message_id)
        == [acted]
    )


async def test_a_list_in_a_pipe_is_whole_and_plain(deployment: Deployment) -> None:
    """No colours, every column; sorted as asked; an empty one is a sentence."""
    done = await case(deployment, "list", "--sort", "rule")
    heading, *lines = done.stdout.splitlines()
    assert tuple(heading.split()) == COLUMNS
    ids = [id_.rpartition("/")[2][:8] for id_ in sorted([HELD.case_id, SHADOW.case_id])]
    assert [line.split()[0] for line in lines[:2]] == ids
    held = next(line for line in lines if " held " in line)
    assert re.search(
        r" held +medium +\d+[dhm] +2 +s1@bad\.test +Updated bank details for t… ", held
    )
    assert "\x1b" not in done.stdout
    assert (await case(deployment, "list", "--state", "denied")).stdout == "No such case.\n"


@pytest.mark.parametrize(
    "text", ["x" * 300, "ü" * 300, "\N{PILE OF POO}" * 99, "a\x1b[2J\n\u202eb"]
)
def test_a_list_fits_into_a_hundred_columns(text: str) -> None:
    """Whatever mail says, and however wide its characters are; who and what are always there."""
    assert cell_len(cut_to_width(text, 20)) <= 20
    summary = CaseSummary(
        rule="r", level="informational", sender=text, subject=text, messages=10**6, deadline=NOW
    )
    line = CaseLine(
        id="case/a_rule/0123456789abcdef",
        run="run",
        rule="a_rule_with_a_long_name",
        state="held",
        mode="approve",
        opened_at=NOW,
        summary=summary,
    )
    rows = table_rows([line], NOW)
    table = build_table(COLUMNS, rows, drop_first=DROP_FIRST, width=100)
    shown = [str(column.header) for column in table.columns]
    assert {"id", "state", "due", "msgs", "sender", "subject"} <= set(shown)
    printed = io.StringIO()
    Console(file=printed, width=100).print(table)
    assert all(cell_len(one) <= 100 for one in printed.getvalue().splitlines())
    assert len(printed.getvalue().splitlines()) == 2
    assert "\x1b[2J" not in printed.getvalue()


async def test_a_page_tells_what_happened_and_what_can_be_done(deployment: Deployment) -> None:
    """Found by a prefix of its hash.

    The story, what was done to whom, the budget and how to take it back.
    """
    done = await case(deployment, "show", ACTED.case_id.rpartition("/")[2][:8])
    said = " ".join(done.stdout.split())
    for part in (
        f"{ACTED.case_id} Quarantine it",
        "mode enforce, version v1; now",
        "settled · 2 events, 2 messages · open for",
        "2 joined",
        "move: 2 moved → JunkEmail",
        "block_sender: 1 blocked",
        "2 of 500 messages per 1h of",
        "1 of 20 blocks per 1h of all rules together",
        "user00000@corp.example from s0@bad.test",
        f"clawback undo case {ACTED.case_id} --dry-run",
    ):
        assert part in said
    document = json.loads((await case(deployment, "show", ACTED.case_id, "--json")).stdout)
    assert {
        "plan",
        "snapshot",
        "proposal",
        "undone",
        "budget",
        "temporal_ui",
        "state",
        "run",
        "current_rule_version",
    } <= set(document)


async def test_nothing_in_a_mail_can_steer_the_terminal(deployment: Deployment) -> None:
    """A sender is whatever a stranger wrote.

    Escape sequences and line breaks are shown as what they are, nothing.
    """
    (line,) = outbreak(1, 7, sender="evil\x1b[2J\r\nstate  fine@bad.test")
    told = HELD.model_copy(update={"group": {"edf_hash": "evil"}, "mode": Mode.SHADOW})
    await deployment.signal_case(told, match_of(line))
    await deployment.settled(told.case_id)
    shown = (await case(deployment, "show", told.case_id)).stdout
    assert "from evil�[2J��state  fine@bad.test" in shown
    assert "\x1b" not in shown


async def test_a_held_case_is_decided_from_its_page(deployment: Deployment) -> None:
    """The page has the lines to copy; the one for approval works as it stands, once."""
    page = (await case(deployment, "show", HELD.case_id)).stdout
    (line,) = [line for line in page.splitlines() if "case approve" in line]
    arguments = line.partition("clawback case ")[2].split()
    done = await case(deployment, *arguments, "--by", "ana", "--reason", "is phishing")
    assert done.returncode == ExitCode.OK, done.stderr
    await deployment.settled(HELD.case_id)
    later = await case(deployment, *arguments, "--by", "ben")
    me = local_identity().label
    assert (later.returncode, f"approved by {me}" in later.stderr) == (ExitCode.NO, True)
    shown = (await case(deployment, "show", HELD.case_id)).stdout
    assert f"approved by {me} (unverified) on behalf of ana: is phishing" in shown


async def test_people_work_on_a_case_from_the_command_line(deployment: Deployment) -> None:
    """Its page shows the comments, who works on it, and the messages that they decide about."""
    me = local_identity().label
    done = await case(deployment, "comment", HELD.case_id, "asked finance\nthey know nothing")
    assert (done.returncode, done.stdout) == (0, f"{HELD.case_id} has your comment, number 1.\n")
    done = await case(deployment, "assign", HELD.case_id)
    assert done.stdout == f"{HELD.case_id} is assigned to {me}.\n"

    shown = (await case(deployment, "show", HELD.case_id)).stdout
    for line in (
        f"to {me} by {me}",
        "  they know nothing",
        "Updated bank details for this month's invoice",
        "s1@bad.test → user00000@corp.example",
        "MALICIOUS",
        f"assigned by {me} (unverified): to {me}",
    ):
        assert line in shown, shown
    assert shown.count("they know nothing") == 1

    done = await case(deployment, "assign", HELD.case_id, "--to", "nobody", "--json")
    assert json.loads(done.stdout) == {"case": HELD.case_id, "assignee": None}
    assert "to nobody" in (await case(deployment, "show", HELD.case_id)).stdout
    empty = await case(deployment, "comment", HELD.case_id, " ")
    assert (empty.returncode, "the comment is empty" in empty.stderr) == (ExitCode.NO, True)
    unknown = await case(deployment, "comment", "case/other/0123456789abcdef", "hello")
    assert unknown.returncode != ExitCode.OK


async def test_the_page_of_a_held_case_says_what_it_moved_aside(deployment: Deployment) -> None:
    """In the timeline, among the outcomes, and where it says what a denial does."""
    told = HELD.model_copy(
        update={"group": {"edf_hash": "aside"}, "while_held": Move(destination=Destination.DELETED)}
    )
    (line,) = outbreak(1, 11)
    deployment.simulator.add([line])
    await deployment.signal_case(told, match_of(line))

    async def is_aside() -> bool | None:
        snapshot = (await deployment.cases.status(told.case_id)).snapshot
        return (snapshot is not None and bool(snapshot.outcomes[-2])) or None

    await eventually(is_aside)
    said = " ".join((await case(deployment, "show", told.case_id)).stdout.split())
    for part in (
        "move_while_held: 1 moved → DeletedItems",
        "move to DeletedItems while held 1 moved",
        "1 of 2,000 held messages per 1h of all rules together",
        "denying it returns 1 message to the inbox",
    ):
        assert part in said


async def test_a_part_that_does_not_answer_is_named(deployment: Deployment) -> None:
    """`show` and `approve` do the rest and name it; the exit code is not OK."""
    part = f"{HELD.case_id}/2"
    head = deployment.client.get_workflow_handle(HELD.case_id)
    # Nobody ever started it, or the server has deleted it.
    await head.signal(names.PART_CHANGED, args=[2, CaseState.HELD])

    page = await case(deployment, "show", HELD.case_id)
    assert (page.returncode, f"  {part}: there is no" in page.stdout) == (ExitCode.NO, True)
    (line,) = [line for line in page.stdout.splitlines() if "case approve" in line]
    arguments = line.partition("clawback case ")[2].split()
    done = await case(deployment, *arguments, "--by", "ana")
    assert (done.returncode, f"{part} did not take part: " in done.stderr) == (ExitCode.NO, True)
    await deployment.settled(HELD.case_id)


async def test_a_case_that_is_watched_is_followed_to_its_end(deployment: Deployment) -> None:
    """Each change of state is a line; the exit code says how it ended.

    One that is over ends at once.
    """
    address = deployment.client.service_client.config.target_host
    over = await case(deployment, "watch", SHADOW.case_id)
    assert (over.returncode, SHADOW.case_id in over.stdout) == (ExitCode.OK, True)
    watching = await asyncio.create_subprocess_exec(
        *(*COMMAND, "case", "watch", HELD.case_id, "--json"),
        env=environment_of(TEMPORAL_ADDRESS=address),
        stdout=asyncio.subprocess.PIPE,
    )
    assert watching.stdout is not None
    first = await watching.stdout.readline()
    await deployment.client.get_workflow_handle(HELD.case_id).terminate("by hand")
    later, _ = await watching.communicate()
    changes = [json.loads(line) for line in (first + later).splitlines()]
    assert watching.returncode == ExitCode.NO
    assert [(change["before"], change["state"]) for change in changes] == [
        (None, "held"),
        ("held", "terminated"),
    ]
    assert "terminated" in (await case(deployment, "show", HELD.case_id)).stdout


async def test_a_case_that_is_not_there_is_a_sentence(deployment: Deployment) -> None:
    """It says where to look."""
    assert (
        "`clawback case list` has the cases"
        in (await case(deployment, "show", "case/other/0123456789abcdef")).stderr
    )
    assert "`clawback case list`" in (await case(deployment, "show", "nonsense")).stderr
