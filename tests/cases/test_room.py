"""A case holds what it has room for; the parts of a campaign hold every match exactly once."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import BlockSender, Move, Reclassify
from clawback.actions.outcomes import MOVED
from clawback.cases import ActionStep, Case, CasePlan, CaseStart, CaseTiming, Match
from clawback.cases.room import FAN_OUT, STATE_LIMIT, child_of
from clawback.model.events.base import LONGEST_ID
from clawback.model.messages import Destination, Disposition, Target
from clawback.model.mode import Mode
from clawback.model.size import PAYLOAD_LIMIT, payload_size

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PLAN = CasePlan(
    rule="r",
    version="v1",
    mode=Mode.ENFORCE,
    actions=(
        BlockSender(pattern="a@b.test"),
        Move(destination=Destination.JUNK),
        Reclassify(disposition=Disposition.SPAM),
    ),
)


def match(number: int, **longest: Any) -> Match:
    """Build a match of one message."""
    id_ = f"{number:>{longest.pop('length', 4)}}"
    target = Target(id=id_, at=NOW, **longest)
    return Match(key=f"message/{id_}", at=NOW, seen_at=NOW, targets=(target,))


@given(st.lists(st.integers(0, 60), max_size=120), st.integers(1, 4000))
def test_every_match_is_in_exactly_one_part(arrivals: list[int], limit: int) -> None:
    """However often and in whatever order matches come, one part takes each of them, once."""
    parts: dict[int, Case] = {}
    taken: list[str] = []

    def tell(number: int, one: Match) -> None:
        case = parts.setdefault(
            number, Case.open(PLAN, CaseTiming(), str(number), NOW, part=number, limit=limit)
        )
        if case.add_match(one, NOW):
            taken.append(one.key)
        for child in list(case.overflow):
            for passed in case.take_overflow(child):
                tell(child, passed)

    for number in arrivals:
        tell(1, match(number))
    assert sorted(taken) == sorted({match(number).key for number in arrivals})


def test_a_further_part_knows_what_its_case_has_spent() -> None:
    """That is what it has moved, and what the guard may have granted it already."""
    moves = PLAN.model_copy(update={"actions": PLAN.actions[1:2]})
    case = Case.open(moves, CaseTiming(), "case/r/1/run", NOW, limit=1)
    case.add_match(match(1), NOW)
    step = case.next(NOW)
    assert isinstance(step, ActionStep)
    assert case.counted_campaign is None
    case.ask(step)
    case.add_match(match(2), NOW)
    assert case.counted_campaign == case.actions.current_campaign
    assert (case.actions.current_campaign.id, case.actions.current_campaign.spent) == ("run", 1)
    case.start_step(step)
    case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
    assert case.actions.current_campaign.spent == 1


@given(st.integers(1, 5000), st.text(max_size=9))
def test_parts_are_a_tree(part: int, key: str) -> None:
    """Each part has sixteen children of its own, and a key always takes the same way."""
    child = child_of(part, key)
    assert (child - 2) // FAN_OUT + 1 == part
    assert child == child_of(part, key)


def test_a_full_case_fits_into_a_payload() -> None:
    """With the longest ids and Message-IDs, whatever became of its messages, in every state."""
    case = Case.open(PLAN, CaseTiming(), "case/r/1/run", NOW)
    longest = {"message_id": "m" * 998, "sender": "s" * 320, "mailbox": "b" * 320}
    number = 0
    while not case.overflow:
        case.add_match(match(number, length=LONGEST_ID, **longest), NOW)
        number += 1
    while isinstance(step := case.next(NOW), ActionStep):
        case.start_step(step)
        assert _size(case) < STATE_LIMIT + 64 * 1024
        case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
        case.take_records()
    assert number > 50
    assert _size(case) < STATE_LIMIT + 64 * 1024 < PAYLOAD_LIMIT


def _size(case: Case) -> int:
    case.take_records()
    return payload_size(CaseStart(plan=PLAN, snapshot=case.snapshot()))


def test_only_the_case_itself_acts_on_the_whole_campaign() -> None:
    """A further part moves its messages; it neither blocks the sender again nor reclassifies."""
    case = Case.open(PLAN, CaseTiming(), "u", NOW, part=2)
    case.add_match(match(1), NOW)
    step = case.next(NOW)
    assert isinstance(step, ActionStep)
    assert step.action.name == "move"
    case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
    assert not isinstance(case.next(NOW), ActionStep)
