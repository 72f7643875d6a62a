"""The parts of a campaign hold every match exactly once, and fill one after another."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.cases import Case, CaseSnapshot, CaseTiming, Match, MatchSize, part_index
from clawback.cases.part_index import PartIndex, SavedIndex
from clawback.model.size import PAYLOAD_LIMIT, payload_size
from tests.cases.test_room import NOW, PLAN, match

ROOM = 4000
"""Bytes: room for three matches or so."""


class Campaign:
    """All parts of one campaign, and who has taken which match."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: dict[int, Case] = {}
        self.taken: list[tuple[int, str]] = []

    def place(self, number: int, one: Match) -> None:
        """Ask a part where a match goes, and send it there."""
        case = self.parts.get(number) or self.open(number)
        placement = case.place([MatchSize.of(one)], NOW)
        if placement is None:
            self.tell(number, one)
            return
        (part,) = placement.parts
        if part != number and part_index.has_index(part):
            self.place(part, one)
        else:
            self.tell(part, one)

    def tell(self, number: int, one: Match) -> None:
        """Send a match to a part, and what that passes on to where it goes."""
        case = self.parts.get(number) or self.open(number)
        if case.add_match(one, NOW):
            self.taken.append((number, one.key))
        for other in list(case.parts.overflow):
            for passed in case.parts.take_overflow(other):
                self.tell(other, passed)

    def open(self, number: int) -> Case:
        """Open a part."""
        self.parts[number] = Case.open(
            PLAN, CaseTiming(), "case/r/1/run", NOW, part=number, limit=self.limit
        )
        return self.parts[number]

    def continue_as_new(self) -> None:
        """Let every part go on from its snapshot, as it was sent."""
        for number, case in self.parts.items():
            sent = case.snapshot().model_dump_json()
            snapshot = CaseSnapshot.model_validate_json(sent)
            self.parts[number] = Case(PLAN, CaseTiming(), snapshot, number, self.limit)


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 60), st.booleans()) | st.none(), max_size=120),
    limit=st.integers(1, ROOM),
    parts=st.integers(2, 5),
    matches=st.integers(1, 9),
)
def test_every_match_is_in_exactly_one_part(
    arrivals: list[tuple[int, bool] | None], limit: int, parts: int, matches: int
) -> None:
    """However often, in whatever order and on whichever way they come; however small an index is.

    None lets all parts continue as new.
    """
    campaign = Campaign(limit)
    with (
        patch.object(part_index, "PARTS_PER_INDEX", parts),
        patch.object(part_index, "MATCHES_PER_INDEX", matches),
    ):
        for arrival in arrivals:
            if arrival is None:
                campaign.continue_as_new()
            else:
                number, is_placed = arrival
                send = campaign.place if is_placed else campaign.tell
                send(1, match(number))

    expected = {match(arrival[0]).key for arrival in arrivals if arrival is not None}
    assert sorted(key for _, key in campaign.taken) == sorted(expected)


def test_parts_fill_one_after_another() -> None:
    """What arrives together goes to one part, and the next one is opened when that is full."""
    campaign = Campaign(ROOM)
    for number in range(30):
        campaign.tell(1, match(number))

    numbers = [number for number, _ in campaign.taken]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, max(numbers) + 1))
    assert len(numbers) > 2 * max(numbers)


def test_a_match_that_shares_a_fingerprint_shares_the_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is lost by it, and the part has room for accidents."""
    monkeypatch.setattr(PartIndex, "_fingerprint", lambda _, key: len(key))
    campaign = Campaign(1)
    for number in range(30):
        campaign.tell(1, match(number))
    assert [number for number, _ in campaign.taken] == [1] + 29 * [2]


def test_a_part_that_is_full_by_accident_passes_on_to_the_next() -> None:
    """So no part outgrows its payload, whoever sends to it."""
    campaign = Campaign(ROOM)
    count = 200
    for _ in range(2):
        for number in range(count):
            campaign.tell(2, match(number))

    assert len(campaign.taken) == count
    assert {number for number, _ in campaign.taken} == {2, 3, 4}


def test_a_full_index_fits_into_a_payload() -> None:
    """Beside the matches of its own part and a plan."""
    index = PartIndex(PLAN, 1, "run", SavedIndex(), limit=ROOM)
    numbers = [index.place(MatchSize.of(match(number))) for number in range(5000)]
    assert numbers[-1] == 1 + part_index.PARTS_PER_INDEX
    saved = index.saved()
    assert len(saved.sizes) == part_index.PARTS_PER_INDEX - 1
    assert payload_size(saved) < part_index.MATCHES_PER_INDEX * 16 / 3 + 8 * 1024
    assert part_index.MATCHES_PER_INDEX * 16 / 3 + 8 * 1024 < PAYLOAD_LIMIT / 3
    again = PartIndex(PLAN, 1, "run", saved, limit=ROOM)
    assert [again.place(MatchSize.of(match(number))) for number in range(5000)] == numbers
