"""Campaigns of many parts on pages, built directly: every message once, whatever their number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clawback.actions import Move
from clawback.case_files.case_file import CaseFile
from clawback.cases import Case, CasePlan, CaseStart, CaseState, CaseTiming, Decision, Match
from clawback.console.sources.decided_messages import MOST_PARTS, read_decided
from clawback.console.sources.message_pages import read_page
from clawback.console.views.message_rows import PAGE_SIZE
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from tests.people import person

NOW = datetime(2026, 11, 29, tzinfo=UTC)
PLAN = CasePlan(
    rule="r",
    version="v1",
    mode=Mode.APPROVE,
    actions=(Move(destination=Destination.JUNK),),
)
TIMING = CaseTiming()


@dataclass
class Parts:
    """Parts of a campaign, and which were read."""

    parts: Mapping[int, CaseStart]
    read: list[int] = field(default_factory=list)

    async def read_part(self, _: str, number: int) -> CaseStart:
        """Read one of them."""
        self.read.append(number)
        return self.parts[number]


def match(number: int) -> Match:
    target = Target(id=f"m{number}", at=NOW, sender="a@b.test", mailbox=f"u{number}@c.test")
    return Match(key=f"message/m{number}", at=NOW, seen_at=NOW, targets=(target,))


def hold(part: int, *numbers: int) -> Case:
    """Hold a part of a campaign with some messages, as people were shown it."""
    case = Case.open(PLAN, TIMING, f"case/r/0/{part}", NOW, part=part)
    for number in numbers:
        case.add_match(match(number), NOW)
    case.next(NOW)
    case.propose(NOW)
    return case


def start_of(case: Case, parts: int = 1) -> CaseStart:
    """What a case answers, which knows of some parts."""
    known = dict.fromkeys(range(2, parts + 1), CaseState.HELD)
    snapshot = case.snapshot().model_copy(update={"parts": known})
    return CaseStart(plan=PLAN, timing=TIMING, snapshot=snapshot)


async def test_every_message_of_20_000_is_on_one_page() -> None:
    """In twenty parts, fifty a page; a page reads the parts that it shows and no other."""
    template = start_of(hold(1))
    assert template.snapshot is not None
    starts = {}
    for part in range(1, 21):
        targets = {
            one.id: one
            for number in range(1_000 * part, 1_000 * (part + 1))
            for one in match(number).targets
        }
        update = {"targets": targets, "parts": dict.fromkeys(range(2, 21), CaseState.HELD)}
        snapshot = template.snapshot.model_copy(update=update)
        starts[part] = template.model_copy(update={"snapshot": snapshot})

    file, parts, after, seen = CaseFile(case=starts[1], run="run"), Parts(starts), "", []
    while True:
        parts.read.clear()
        page = await read_page(parts, file, after, lambda _: True)
        assert len(page.found) == PAGE_SIZE
        assert len(parts.read) <= 2
        seen += [target.id for target, _ in page.found]
        if not (after := page.after):
            break
    assert seen == [f"m{number}" for number in range(1_000, 21_000)]


async def test_a_receipt_has_the_messages_of_the_decision() -> None:
    """Not those that came later, and those of all parts that were decided together."""
    first, second, other = hold(1, 1, 2), hold(2, 3), hold(3, 4)
    for case in (first, second):
        shown = case.proposal()
        decision = Decision(
            approved=False, actor=person("ana"), at=NOW, reason="ours", digest=shown.digest
        )
        case.decide(decision)
        case.next(NOW)
    parts = Parts({2: start_of(second), 3: start_of(other)})
    file = CaseFile(case=start_of(first, parts=3), run="run")
    memory = file.case.snapshot
    assert memory is not None
    assert memory.decision is not None

    decided = await read_decided(parts, file, memory.decision)
    assert list(decided.found) == ["m1", "m2", "m3"]
    assert decided.is_exact
    assert not decided.left_out

    later = memory.model_copy(
        update={"targets": {**memory.targets, "m9": match(9).targets[0]}, "parts": {}}
    )
    grown = file.case.model_copy(update={"snapshot": later})
    decided = await read_decided(parts, CaseFile(case=grown, run="run"), memory.decision)
    assert list(decided.found) == ["m1", "m2"]


async def test_a_receipt_says_what_it_does_not_prove() -> None:
    """A digest that the case does not remember, and parts beyond those that are read."""
    case = hold(1, 1)
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW, digest="1-000000000000"))
    many = MOST_PARTS + 3
    start = start_of(case, parts=many)
    parts = Parts(dict.fromkeys(range(2, many + 1), start_of(hold(2, 2))))
    assert start.snapshot is not None
    assert start.snapshot.decision is not None
    decided = await read_decided(parts, CaseFile(case=start, run="run"), start.snapshot.decision)
    assert list(decided.found) == ["m1"]
    assert not decided.is_exact
    assert decided.left_out == 3
