"""Blocks as an analyst meets them.

A list that says what still is ours, more time, and an end at once; against a real server.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import BlockSender
from clawback.cases import CasePlan
from clawback.cli.exits import ExitCode
from clawback.cli.program import run
from clawback.cloudflare import EmailSecurity
from clawback.identity.local import local_identity
from clawback.model.audit_record import RecordKind
from clawback.model.mode import Mode
from clawback.services.configuration import connect_api
from clawback.simulator import outbreak, parse_faults
from clawback.temporal.block_gateway import ActiveBlock
from tests.cli.command import clawback, sentence
from tests.rules.folders import write
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of
from tests.workflows.test_blocks import DOMAIN, recorded, removed, standing
from tests.workflows.test_case import simulated

ANNE, BEN, CLEO = "anne@sender.example", "ben@eu.own.example", "cleo@partner.example"
LISTED = "never_block: {suffixes: [partner.example]}\n"


@pytest.fixture
async def deployment(temporal: Client, tmp_path: Path) -> AsyncIterator[Deployment]:
    """An installation without blocks."""
    async with deployed(temporal, simulated([]), tmp_path / "state") as deployment:
        yield deployment


@pytest.fixture
async def api(deployment: Deployment) -> AsyncIterator[EmailSecurity]:
    """The account as somebody else sees it who edits blocks by hand."""
    async with connect_api(deployment.settings) as api:
        yield api


async def create_block(
    deployment: Deployment, pattern: str, lasts: timedelta = timedelta(days=30), rule: str = "r"
) -> ActiveBlock:
    """Have a case of its own block a pattern, and wait until the index of the server knows it."""
    before = {block.id for block in await standing(deployment)}
    action = BlockSender(pattern=pattern, expires_after=lasts)
    plan = CasePlan(
        rule=rule,
        version="v1",
        mode=Mode.ENFORCE,
        group={"number": str(len(before))},
        actions=(action,),
    )
    await deployment.signal_case(plan, match_of(next(iter(outbreak(1)))))

    async def indexed() -> ActiveBlock | None:
        return next((block for block in await standing(deployment) if block.id not in before), None)

    return await eventually(indexed)


async def block(
    deployment: Deployment, *arguments: str, rules: Path = RULES
) -> CompletedProcess[str]:
    """Run `clawback block` against the server and the simulator of a deployment."""
    settings = {
        "TEMPORAL_ADDRESS": deployment.client.service_client.config.target_host,
        "CLAWBACK_API_URL": deployment.settings.api_url,
        "CLAWBACK_RULES": str(rules),
    }
    return await asyncio.to_thread(clawback, "block", *arguments, **settings)


async def answer(deployment: Deployment, *arguments: str, rules: Path = RULES) -> Any:
    """Run a command that succeeds, and read its JSON document."""
    done = await block(deployment, *arguments, "--json", rules=rules)
    assert done.returncode == ExitCode.OK, done.stderr
    return json.loads(done.stdout)


async def test_a_list_says_what_stands_and_whether_it_still_is_ours(
    deployment: Deployment, api: EmailSecurity
) -> None:
    """The first to expire on top.

    Changed and removed ones are told apart; in a pipe it is whole and plain.
    """
    assert (await block(deployment, "list")).stdout == "No such block.\n"
    anne, ben, cleo = (
        await create_block(deployment, ANNE),
        await create_block(deployment, BEN, timedelta(days=7), "other"),
        await create_block(deployment, CLEO, timedelta(days=60)),
    )
    await api.settings.block_senders.edit(anne.id, comments="mine now")
    await api.settings.block_senders.delete(ben.id)
    rows, mine, done, first_two = await asyncio.gather(
        answer(deployment, "list"),
        answer(deployment, "list", "--rule", "r"),
        block(deployment, "list"),
        block(deployment, "list", "--limit", "2"),
    )
    assert [line.split()[0] for line in first_two.stdout.splitlines()] == ["pattern", BEN, ANNE]
    assert "The first 2 of 3 to expire; --limit 0 shows all." in first_two.stderr
    assert [(row["pattern"], row["now"]) for row in rows] == [
        (BEN, "gone"),
        (ANNE, "changed"),
        (CLEO, "ours"),
    ]
    assert mine == rows[1:]
    assert rows[0] == {
        "id": ben.id,
        "pattern": BEN,
        "kind": "email",
        "rule": "other",
        "case": ben.case,
        "made_at": ben.made_at.isoformat(),
        "ends_at": ben.expires_at.isoformat(),
        "claims": [
            {
                "rule": "other",
                "case": ben.case,
                "by": "",
                "ends_at": ben.expires_at.isoformat(),
            }
        ],
        "other_claims": 0,
        "variants": False,
        "now": "gone",
    }
    heading, first, *_ = done.stdout.splitlines()
    columns = ["pattern", "kind", "rule", "made", "ends", "claims", "now", "id", "case"]
    assert heading.split() == columns
    assert f"other {ben.expires_at:%Y-%m-%d}" in first
    assert [first.split()[place] for place in (0, -3, -2, -1)] == [BEN, "gone", ben.id, ben.case]
    assert "\x1b" not in done.stdout
    assert cleo.id in done.stdout


async def test_a_list_needs_no_api(deployment: Deployment) -> None:
    """Without the API the list has what Temporal knows; the state of the blocks is unknown."""
    anne = await create_block(deployment, ANNE)
    deployment.simulator.account.faults.rates = parse_faults("500=1.0")
    done = await block(deployment, "list", "--json")
    assert done.returncode == ExitCode.OK
    assert [(row["id"], row["now"]) for row in json.loads(done.stdout)] == [(anne.id, "unknown")]
    assert "the simulator is unavailable, so changed blocks cannot be told" in done.stderr


async def test_a_block_is_extended_by_its_pattern_or_its_id(deployment: Deployment) -> None:
    """For longer or until a time, never for less; who and why is on record."""
    anne = await create_block(deployment, ANNE)
    extended = await block(
        deployment, "extend", ANNE.upper(), "--for", "30d", "--by", "ana", "--reason", "still at it"
    )
    later = anne.expires_at + timedelta(days=30)
    assert extended.stdout == f"The block of {ANNE} stands until {later:%Y-%m-%d %H:%M:%S} UTC.\n"
    (record,) = recorded(deployment, RecordKind.BLOCK_EXTENDED)
    assert (record.on_behalf_of, record.detail) == ("ana", f"until {later:%FT%TZ} · still at it")
    shorter, until = (
        await block(deployment, "extend", anne.id, "--until", "2026-01-01T00:00:00Z"),
        datetime(2100, 1, 1, tzinfo=UTC),
    )
    assert (shorter.returncode, "stands until" in shorter.stderr) == (ExitCode.NO, True)
    extended = await answer(deployment, "extend", anne.id, "--until", until.isoformat())
    assert {name: extended[name] for name in ("id", "pattern")} == {"id": anne.id, "pattern": ANNE}
    assert datetime.fromisoformat(extended["ends_at"]) == until


async def test_a_block_is_lifted_once(deployment: Deployment) -> None:
    """A dry run only says what it would do.

    When it is done it is gone at the API; a second time is told that it is over.
    """
    anne = await create_block(deployment, ANNE)
    trial = await answer(deployment, "lift", ANNE, "--dry-run")
    assert [(row["id"], row["outcome"]) for row in trial] == [(anne.id, "would")]
    assert set(trial[0]) == {
        "id",
        "pattern",
        "kind",
        "rule",
        "case",
        "made_at",
        "ends_at",
        "claims",
        "other_claims",
        "variants",
        "outcome",
    }
    assert removed(deployment) == []
    done = await block(
        deployment, "lift", f"expiry/{anne.id}", "--by", "ana", "--reason", "a partner"
    )
    assert (done.returncode, done.stdout) == (ExitCode.OK, f"The block of {ANNE} was removed.\n")
    assert removed(deployment) == [anne.id]
    (record,) = recorded(deployment, RecordKind.BLOCK_LIFTED)
    assert (record.actor, record.on_behalf_of) == (local_identity().label, "ana")
    assert (record.detail, record.outcome) == ("a partner", "removed")
    again = await asyncio.gather(
        block(deployment, "lift", anne.id), block(deployment, "extend", anne.id, "--for", "1d")
    )
    assert [(one.returncode, "ended at" in one.stderr + one.stdout) for one in again] == [
        (ExitCode.NO, True)
    ] * 2


async def test_a_block_that_somebody_changed_is_left_alone(
    deployment: Deployment, api: EmailSecurity
) -> None:
    """The exit code says that it stands; one that somebody removed is as good as lifted."""
    anne, ben = await create_block(deployment, ANNE), await create_block(deployment, BEN)
    await api.settings.block_senders.edit(anne.id, comments="mine now")
    await api.settings.block_senders.delete(ben.id)
    kept, gone = await asyncio.gather(
        block(deployment, "lift", ANNE), block(deployment, "lift", BEN, "--json")
    )
    assert (kept.returncode, "and was left in place" in kept.stdout) == (ExitCode.NO, True)
    assert (gone.returncode, [row["outcome"] for row in json.loads(gone.stdout)]) == (
        ExitCode.OK,
        ["already_gone"],
    )
    assert removed(deployment) == [ben.id]


async def test_a_pattern_of_several_blocks_is_asked_about(
    deployment: Deployment, api: EmailSecurity
) -> None:
    """One was changed by hand since, and the sender was blocked again.

    Both ids are named, and nothing is lifted.
    """
    first = await create_block(deployment, ANNE)
    await api.settings.block_senders.edit(first.id, pattern=CLEO)
    second = await create_block(deployment, ANNE)
    done = await block(deployment, "lift", ANNE)
    assert done.returncode == ExitCode.NO
    assert f"{ANNE} has 2 blocks; name one by its id: " in done.stderr
    assert {first.id, second.id} <= set(done.stderr.replace(",", "").split())
    assert removed(deployment) == []


async def test_blocks_that_the_list_forbids_by_now_are_lifted_together(
    deployment: Deployment, api: EmailSecurity, tmp_path: Path
) -> None:
    """By `safety.yml` and by the domains of the account.

    One that somebody changed stands, and keeps no other from ending.
    """
    rules = write(tmp_path / "rules", {"safety.yml": LISTED})
    assert (
        "No block contradicts"
        in (await block(deployment, "lift", "--forbidden", rules=rules)).stdout
    )
    await create_block(deployment, ANNE)
    ben, cleo = await create_block(deployment, BEN), await create_block(deployment, CLEO)
    await api.settings.domains.create(**DOMAIN)  # type: ignore[arg-type]
    await api.settings.block_senders.edit(ben.id, comments="mine now")
    listed, trial = await asyncio.gather(
        answer(deployment, "list", "--forbidden", rules=rules),
        answer(deployment, "lift", "--forbidden", "--dry-run", rules=rules),
    )
    assert {row["id"] for row in listed} == {row["id"] for row in trial} == {ben.id, cleo.id}
    done = await block(deployment, "lift", "--forbidden", "--json", rules=rules)
    assert {row["pattern"]: row["outcome"] for row in json.loads(done.stdout)} == {
        BEN: "left_alone",
        CLEO: "removed",
    }
    assert (done.returncode, removed(deployment)) == (ExitCode.NO, [cleo.id])
    assert {record.detail for record in recorded(deployment, RecordKind.BLOCK_LIFTED)} == {
        "it is on the never-block list"
    }


async def test_a_block_that_is_not_ours_is_a_sentence(deployment: Deployment) -> None:
    """It says where to look; so does a pattern that never was blocked."""
    done = await block(deployment, "lift", "nobody@sender.example")
    assert done.returncode == ExitCode.NO
    assert sentence(done).endswith(
        "clawback has no block nobody@sender.example; `clawback block list` lists the active blocks"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("extend", "x"), "give either --until TIME or --for DURATION"),
        (
            ("extend", "x", "--for", "1d", "--until", "2100-01-01"),
            "give either --until TIME or --for DURATION",
        ),
        (("extend", "x", "--for", "soon"), "--for: "),
        (("extend", "x", "--until", "soon"), "--until: 'soon' is not a time"),
        (("lift",), "give an id, a pattern, or --forbidden"),
        (("lift", "x", "--forbidden"), "give an id, a pattern, or --forbidden"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before any server is asked."""
    assert (run(["block", *arguments]), said in capsys.readouterr().err) == (ExitCode.USAGE, True)
