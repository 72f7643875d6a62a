"""What changed since a proposal was shown: exactly, from what the case remembers of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import BlockSender, Move
from clawback.cases import Case, CasePlan, CaseTiming, Match, Proposal
from clawback.cases.campaign import find_shown, merge_changes, merge_proposals
from clawback.cases.proposal import describe_change
from clawback.cases.proposal_log import (
    MOST_BYTES,
    MOST_PROPOSALS,
    ProposalLog,
    decode_positions,
    encode_positions,
)
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from clawback.model.providers import Provider
from clawback.model.size import payload_size

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PLAN = CasePlan(
    rule="r",
    version="v1",
    mode=Mode.APPROVE,
    actions=(Move(destination=Destination.RECOVERABLE), BlockSender(pattern="a@b.test")),
)


def match(number: int, *, handled: bool = False, provider: Provider | None = None) -> Match:
    """Build a match of one message; a handled one is a later event of the same message."""
    target = Target(id=f"m{number}", at=NOW, provider=provider)
    key = f"message/m{number}{'@2' if handled else ''}"
    return Match(key=key, at=NOW, seen_at=NOW, targets=(target,), handled=handled)


def propose(case: Case, *matches: Match, at: datetime = NOW) -> Proposal:
    """Add matches to a case, and let it be held and propose something."""
    for one in matches:
        case.add_match(one, at)
    case.next(at)
    proposal = case.propose(at)
    assert proposal is not None
    return proposal


def new_case(part: int = 1) -> Case:
    """Start a case."""
    return Case.open(PLAN, CaseTiming(), "case/r/1/run", NOW, part=part)


@given(st.sets(st.integers(0, 900)))
def test_positions_are_read_as_they_were_written(positions: set[int]) -> None:
    """Never in more characters than a bitmap takes."""
    text = encode_positions(sorted(positions))
    assert decode_positions(text) == sorted(positions)
    assert len(text) <= 1 + max(positions, default=0) // 4 + 1


def test_what_was_added_and_what_is_gone_is_exact() -> None:
    """Also where as many came as went, so that the count says nothing; and after a new run."""
    case = new_case()
    first = propose(case, match(1), match(2))
    propose(case, match(3), at=NOW + SECOND)
    now = propose(case, match(2, handled=True), at=NOW + 2 * SECOND)
    for one in (case, Case(PLAN, CaseTiming(), case.snapshot())):
        change = one.proposal_change(first.digest)
        assert (change.shown_at, change.added, change.removed) == (NOW, ("m3",), ("m2",))
        assert (change.new_actions, change.old_actions) == ((), ())
        assert change.current == now
        text = describe_change(change) or ""
        assert "1 message more (m3); 1 message fewer (m2); it would now move" in text
        assert text.endswith(f"Its digest is now {now.digest}")


def test_actions_that_changed_are_named() -> None:
    """A mailbox at another provider lacks the folder, so the mail goes elsewhere."""
    case = new_case()
    first = propose(case, match(1))
    propose(case, match(2, provider=Provider.GOOGLE))
    change = case.proposal_change(first.digest)
    assert [one for one in change.new_actions if "DeletedItems" in one]
    assert change.old_actions == (first.actions[0],)
    assert f"it would no longer {first.actions[0]}" in (describe_change(change) or "")


def test_the_current_proposal_has_not_changed() -> None:
    """Nor has it after it changed and changed back."""
    case = new_case()
    proposal = propose(case, match(1))
    change = case.proposal_change(proposal.digest)
    assert (change.added, change.removed, describe_change(change)) == ((), (), None)
    assert change.shown_at == NOW


@pytest.mark.parametrize("digest", ["1-000000000000", "nonsense", "x" * 10_000])
def test_a_digest_that_is_not_remembered_is_said_to_be_unknown(digest: str) -> None:
    """Nothing is guessed: the whole proposal is new."""
    case = new_case()
    proposal = propose(case, match(1), match(2))
    change = case.proposal_change(digest)
    assert (change.shown_at, change.current) == (None, proposal)
    text = describe_change(change) or ""
    assert "nothing was proposed under" in text
    assert "for 2 messages" in text
    assert len(text) < 500


def test_the_last_twenty_are_remembered_in_few_bytes() -> None:
    """Whatever the messages are of which they consist."""
    case = new_case()
    digests = [propose(case, match(n), at=NOW + n * SECOND).digest for n in range(40)]
    known = [one for one in digests if case.proposal_change(one).shown_at is not None]
    assert known == digests[-MOST_PROPOSALS:]
    for number, digest in enumerate(known, start=40 - MOST_PROPOSALS):
        assert case.proposal_change(digest).added == tuple(f"m{n}" for n in range(number + 1, 40))

    log = ProposalLog()
    for number in range(MOST_PROPOSALS):
        log.add(f"d{number}", {index: range(number, 900, 2) for index in range(20)}, NOW)
    assert payload_size(log.proposals) <= MOST_BYTES
    assert log.find(f"d{MOST_PROPOSALS - 1}")


def test_a_campaign_of_several_parts_knows_what_was_shown_of_it() -> None:
    """One part grew, one was not held then, and all have one digest together."""
    cases = {f"case/r/1/{part}": new_case(part) for part in (1, 2, 3)}
    one, two, three = cases.values()
    shown = [propose(one, match(1)), propose(two, match(2), at=NOW + SECOND)]
    digest = merge_proposals(shown).digest
    propose(two, match(3), at=NOW + 2 * SECOND)
    propose(three, match(4), at=NOW + 3 * SECOND)

    past = {id_: case.past_proposals for id_, case in cases.items()}
    found = find_shown(past, digest)
    assert found == (NOW + SECOND, {id_: p.digest for id_, p in zip(cases, shown, strict=False)})
    assert find_shown(past, "2-000000000000") is None
    assert find_shown(past, shown[0].digest) == (NOW, {"case/r/1/1": shown[0].digest})

    at, digests = found
    changes = {id_: case.proposal_change(digests.get(id_, "")) for id_, case in cases.items()}
    change = merge_changes(digest, at, changes)
    assert (change.added, change.removed, change.new_actions) == (("m3", "m4"), (), ())
    assert change.current.messages == ("m1", "m2", "m3", "m4")


def test_a_part_of_a_campaign_remembers_its_own() -> None:
    """It moves messages only."""
    case = new_case(part=2)
    first = propose(case, *map(match, range(3)))
    assert propose(case, match(9)).messages[-1] == "m9"
    assert case.proposal_change(first.digest).added == ("m9",)
