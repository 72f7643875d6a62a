"""One question about many held cases: what is shown is what is decided."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from clawback.actions import Move
from clawback.case_files.held_cases import read_held_named, read_held_of_rule, select_held
from clawback.cases import CasePlan, CaseState
from clawback.cases.bulk import HeldSelection
from clawback.cases.hold_cause import HoldCause
from clawback.cases.summary import CaseSummary
from clawback.cli.case.selection import describe_selection
from clawback.cli.exits import ExitCode
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.case_entries import CaseLine
from tests.cli.command import clawback
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of
from tests.workflows.test_case import simulated

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def line(number: int, digest: str = "1-abc") -> CaseLine:
    """A held case in a list."""
    summary = CaseSummary(
        rule="r",
        messages=2,
        sender="a@bad.test",
        hold_cause=HoldCause.SHARE,
        digest=digest,
        proposes=("move to JunkEmail",),
    )
    id_, run = f"case/r/{number}", f"run{number}"
    return CaseLine(
        id=id_, run=run, rule="r", state="held", mode="enforce", opened_at=NOW, summary=summary
    )


def plan(group: str, mode: Mode = Mode.APPROVE) -> CasePlan:
    """A plan that moves mail, after approval."""
    return CasePlan(
        rule="asks",
        version="v1",
        mode=mode,
        group={"edf_hash": group},
        actions=(Move(destination=Destination.JUNK),),
    )


def selected(lines: Sequence[CaseLine]) -> HeldSelection:
    """A selection of these cases."""
    return select_held(lines, None)


def test_a_digest_is_that_of_exactly_these_cases_and_proposals() -> None:
    """In any order; one more case, or one that proposes something else, is another selection."""
    first = selected([line(1), line(2)])
    assert first.describe_change(selected([line(2), line(1)]).digest) is None
    more = selected([line(1), line(2), line(3)])
    assert "1 more case" in (more.describe_change(first.digest) or "")
    other = selected([line(1), line(2, "2-def")])
    assert "other cases or messages" in (other.describe_change(first.digest) or "")
    assert other.digest in (other.describe_change("nonsense") or "")


def test_the_held_parts_of_a_campaign_are_one_case() -> None:
    """Each has its digest: one that grows, or another that is held, is another selection."""
    part, other = line(1).model_copy(update={"id": "case/r/1/2"}), line(2)
    both = selected([line(1), part, other])
    assert [case.digests for case in both.cases] == [
        {"case/r/1": "1-abc", "case/r/1/2": "1-abc"},
        {"case/r/2": "1-abc"},
    ]
    shown = list(describe_selection(both))
    assert shown[:2] == ["2 held cases with 6 messages", "would move to JunkEmail: 2 cases"]
    grown = part.model_copy(update={"summary": line(1, "9-new").summary})
    for changed in ([line(1), grown, other], [line(1), other]):
        assert "other cases or messages" in (selected(changed).describe_change(both.digest) or "")


def test_people_see_how_much_they_decide() -> None:
    """The totals, and the first cases."""
    shown = "\n".join(describe_selection(selected([line(number) for number in range(30)])))
    for text in (
        "30 held cases with 60 messages",
        "would move to JunkEmail: 30 cases",
        "held for share: 30 cases",
        "case/r/19 ",
        "and 10 more",
        "Digest 30-60-",
    ):
        assert text in shown
    assert "case/r/20 " not in shown


async def test_held_cases_of_a_rule_are_decided_together(temporal: Client, tmp_path: Path) -> None:
    """Without a terminal under the digest that was shown; one more case makes it another one."""
    mail = list(outbreak(3))
    plans = [plan(str(number)) for number in range(3)]
    async with deployed(temporal, simulated(mail), tmp_path) as deployment:

        async def held(count: int) -> str | None:
            found = await read_held_of_rule(deployment.cases, "asks", HoldCause.APPROVAL)
            return found.digest if len(found.cases) == count else None

        for one, text in zip(plans[:2], mail, strict=False):
            await deployment.signal_case(one, match_of(text))
        digest = await eventually(lambda: held(2))
        code, said = await case(deployment, "approve", "--rule", "asks")
        assert (code, digest in said) == (ExitCode.USAGE, True)

        await deployment.signal_case(plans[2], match_of(mail[2]))
        grown = await eventually(lambda: held(3))
        code, said = await case(deployment, "approve", "--rule", "asks", "--digest", digest)
        assert (code, "1 more case" in said, grown in said) == (ExitCode.NO, True, True)
        code, said = await case(
            deployment, *("approve", "--rule", "asks", "--cause", "approval", "--digest", grown)
        )
        assert (code, "3 cases now" in said) == (ExitCode.OK, True)
        for one in plans:
            await deployment.settled(one.case_id, CaseState.SETTLED)
        assert len(deployment.ledger) == 3


async def test_named_cases_are_decided_together_or_not_at_all(
    temporal: Client, tmp_path: Path
) -> None:
    """Each by its result; with one that is not held, or another digest, nothing is decided."""
    mail = list(outbreak(3))
    asks = [plan(str(number)) for number in range(2)]
    acts = plan("2", Mode.ENFORCE)
    async with deployed(temporal, simulated(mail), tmp_path) as deployment:
        for one, text in zip((*asks, acts), mail, strict=True):
            await deployment.signal_case(one, match_of(text))
        ids = [one.case_id for one in asks]

        async def shown() -> str | None:
            found = await read_held_named(deployment.cases, ids)
            return None if found.not_held else found.digest

        digest = await eventually(shown)
        await deployment.settled(acts.case_id, CaseState.SETTLED)
        code, said = await case(deployment, "deny", *ids, acts.case_id)
        assert (code, f"{acts.case_id} is settled" in said) == (ExitCode.NO, True)
        code, said = await case(deployment, "deny", *ids, "--digest", "2-9-000000000000")
        assert (code, digest in said) == (ExitCode.NO, True)
        code, said = await case(deployment, "deny", *ids, "--digest", digest)
        assert (code, [f"{id_} is denied." in said for id_ in ids]) == (ExitCode.OK, [True, True])


async def case(deployment: Deployment, *words: str) -> tuple[int, str]:
    """Run `clawback case`; return its exit code and all that it says."""
    address = deployment.client.service_client.config.target_host
    done = await asyncio.to_thread(
        clawback, "case", *words, TEMPORAL_ADDRESS=address, CLAWBACK_RULES=str(RULES)
    )
    return done.returncode, done.stdout + done.stderr
