"""A case holds what it has room for, and fits into a payload."""

import tracemalloc
from datetime import UTC, datetime
from typing import Any

from clawback.actions import BlockSender, Move, Reclassify
from clawback.actions.outcomes import MOVED
from clawback.cases import ActionStep, Case, CasePlan, CaseStart, CaseTiming, Match
from clawback.cases.notes import LONGEST_COMMENT, MOST_COMMENTS
from clawback.cases.room import STATE_LIMIT
from clawback.model.events import message_event
from clawback.model.events.base import LONGEST_ID
from clawback.model.messages import Destination, Disposition, Target
from clawback.model.mode import Mode
from clawback.model.orders import Order, Verb
from clawback.model.size import PAYLOAD_LIMIT, PLAN_LIMIT, payload_size
from clawback.simulator import outbreak
from tests.people import person

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
    case.start_step(step, NOW)
    case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
    assert case.actions.current_campaign.spent == 1


def test_a_full_case_fits_into_a_payload() -> None:
    """With the longest ids and Message-IDs, whatever became of its messages, in every state."""
    case = Case.open(PLAN, CaseTiming(), "case/r/1/run", NOW)
    longest = {"message_id": "m" * 998, "sender": "s" * 320, "mailbox": "b" * 320}
    number = 0
    while not case.parts.overflow:
        case.add_match(match(number, length=LONGEST_ID, **longest), NOW)
        number += 1
    while isinstance(step := case.next(NOW), ActionStep):
        case.start_step(step, NOW)
        assert _size(case) < STATE_LIMIT + 64 * 1024
        case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
        case.take_records()
    assert number > 50
    assert _size(case) < STATE_LIMIT + 64 * 1024 < PAYLOAD_LIMIT


def test_a_full_case_with_all_that_people_wrote_fits_into_a_payload() -> None:
    """A hundred comments of two kilobytes, with the largest plan that a case takes."""
    large = PLAN.model_copy(update={"title": "t" * (PLAN_LIMIT - payload_size(PLAN))})
    case = Case.open(large, CaseTiming(), "case/r/1/run", NOW)
    longest = {"message_id": "m" * 998, "sender": "s" * 320, "mailbox": "b" * 320}
    number = 0
    while not case.parts.overflow:
        case.add_match(match(number, length=LONGEST_ID, **longest), NOW)
        number += 1
    people = 0
    while case.comment_problem("c" * LONGEST_COMMENT) is None:
        people += 1
        ana = person(f"ana {people}".ljust(120, "x"))
        number = case.comment(ana, '"\n' * (LONGEST_COMMENT // 2), NOW)
        order = Order(verb=Verb.COMMENT, workflow="c", actor=ana, at=NOW, nonce=f"{people:064}")
        case.orders.add(order, NOW)
        case.answers.add(order, str(number))
    case.take_records()
    size = payload_size(CaseStart(plan=large, snapshot=case.snapshot()))
    assert PAYLOAD_LIMIT // 2 < size < PAYLOAD_LIMIT


def test_a_hundred_comments_of_the_longest_find_room() -> None:
    """The next one is refused."""
    case = Case.open(PLAN, CaseTiming(), "case/r/1/run", NOW)
    for number in range(MOST_COMMENTS):
        assert case.comment_problem("c" * LONGEST_COMMENT) is None
        assert case.comment(person("ana"), "c" * LONGEST_COMMENT, NOW) == number + 1
    assert "takes no more" in (case.comment_problem("c") or "")


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


def test_a_message_takes_few_bytes_of_memory() -> None:
    """A worker has hundreds of parts in memory, each with hundreds of messages."""
    events = (message_event(line["message"], NOW) for line in outbreak(400, start=NOW))
    sent = [
        Match(key=one.key, at=NOW, seen_at=NOW, targets=one.targets).model_dump_json()
        for one in events
    ]
    case = Case.open(PLAN, CaseTiming(), "case/r/1/run", NOW, part=2)
    tracemalloc.start()
    try:
        for one in sent:
            case.add_match(Match.model_validate_json(one), NOW)
        case.take_records()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(case.messages.targets) == len(sent)
    assert kept < 1000 * len(sent)
