"""The shard as a state machine, against the search for windows over everything at once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from clawback.cases.plan import Match
from clawback.correlation.aggregates import Bound, Comparison
from clawback.correlation.payloads import (
    CorrelationDefinition,
    Delivery,
    DeliveryResult,
    GroupMatches,
    MatchBatch,
    ShardSnapshot,
)
from clawback.correlation.shard import (
    DELIVERY_PATIENCE,
    MOST_BYTES,
    MOST_COUNTED,
    RETRY_PAUSE,
    RULE_PATIENCE,
    Shard,
)
from clawback.correlation.shard_entry import USUAL_BYTES, ShardEntry
from clawback.correlation.sliding_window import (
    CorrelationType,
    CorrelationWindow,
    Link,
    WindowEntry,
    find_window,
)
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Target
from clawback.model.providers import Provider

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
THREE = CorrelationWindow(type=CorrelationType.EVENT_COUNT, timespan=24 * HOUR, at_least=3)
KINDS = st.sampled_from([kind for kind in CorrelationType if not kind.is_aggregate])


def definition(window: CorrelationWindow = THREE, **changes: Any) -> CorrelationDefinition:
    """Define what a rule counts."""
    return CorrelationDefinition(rule="r", window=window, **changes)


def match(number: int, hours: float = 0, **changes: Any) -> Match:
    """Build a match of one message that happened so many hours after noon."""
    at = NOW + hours * HOUR
    fields = {"targets": (Target(id=f"m{number}", at=at),), "seen_at": NOW, **changes}
    return Match(key=f"message/m{number}", at=at, **fields)


def batch(*matches: Match, group: str = "g", of: CorrelationDefinition | None = None) -> MatchBatch:
    """Put matches of one group into a signal."""
    known = of or definition()
    found = GroupMatches(definition=known.digest, group={"from": group}, matches=matches)
    return MatchBatch(definitions={known.digest: known}, groups=(found,))


def new_shard(**changes: Any) -> Shard:
    """Start an empty shard."""
    return Shard(ShardSnapshot(), "correlation/1/run", **changes)


def reborn(shard: Shard) -> Shard:
    """Carry a shard over to its next run, as JSON."""
    snapshot = ShardSnapshot.model_validate_json(to_json(shard.snapshot()))
    return Shard(snapshot, "correlation/1/run")


def deliver(shard: Shard, result: DeliveryResult = DeliveryResult.DELIVERED) -> list[Delivery]:
    """Make the deliveries that are due now."""
    due = shard.due(NOW)
    for one in due:
        shard.end_delivery(one, result, NOW)
    return list(due)


def keys(deliveries: Iterable[Delivery]) -> list[str]:
    """Give the messages of deliveries, without `message/`."""
    return [one.key.removeprefix("message/") for some in deliveries for one in some.matches]


def entries_of(matches: Sequence[Match]) -> list[WindowEntry]:
    """Give matches as the window search takes them."""
    return [
        WindowEntry(
            key=one.window_key, at=one.at, rule=one.rule, values=one.values, links=one.links
        )
        for one in matches
    ]


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from(["a", "b", "burst/a", "burst/b"]),
        st.sampled_from([(), ("x",), ("a value that is hashed", "y"), ("#y",)]),
        st.sampled_from("gh"),
    ),
    max_size=10,
).map(
    lambda rows: [
        match(
            number,
            hour,
            rule=rule,
            values=values,
            links=(Link(group=group, values=values),) if "/" in rule else (),
        )
        for number, (hour, rule, values, group) in enumerate(rows)
    ]
)


@given(
    EVENTS.flatmap(lambda found: st.permutations([*found, *found])),
    st.lists(st.integers(1, 4), max_size=20),
    KINDS,
    st.integers(1, 4),
    st.integers(0, 6),
    st.booleans(),
)
def test_a_shard_finds_what_the_search_over_everything_finds(  # noqa: PLR0913, PLR0917 - particulars of a correlation
    arrivals: list[Match],
    pages: list[int],
    kind: CorrelationType,
    at_least: int,
    hours: int,
    continues: bool,  # noqa: FBT001 - drawn
) -> None:
    """Late, repeated and shuffled events in pages of any size; a new run after each page."""
    inner = CorrelationWindow(
        type=CorrelationType.EVENT_COUNT, timespan=2 * HOUR, at_least=2, rules=("a", "b")
    )
    window = CorrelationWindow(
        type=kind,
        timespan=hours * HOUR,
        at_least=at_least,
        rules=("a", "burst"),
        inner={"burst": inner},
    )
    shard, counted, taken = new_shard(), definition(window), list[Match]()
    delivered = list[Delivery]()
    cuts = [0, *(sum(pages[: n + 1]) for n in range(len(pages))), len(arrivals)]
    for start, end in pairwise(cuts):
        shard.take(batch(*arrivals[start:end], of=counted), NOW)
        taken += arrivals[start:end]
        shard = reborn(shard) if continues else shard
        delivered += deliver(shard)
        satisfied = find_window(window, entries_of(taken)) is not None
        assert bool(delivered) == satisfied
        if delivered:
            assert set(keys(delivered)) == {one.key.removeprefix("message/") for one in taken}
    assert [one.opens for one in delivered] == [True, *(False for _ in delivered[1:])][
        : len(delivered)
    ]


@given(EVENTS, st.booleans(), st.sampled_from([None, *Provider]))
def test_an_entry_survives_its_row(
    matches: list[Match],
    protected: bool,  # noqa: FBT001 - drawn by hypothesis
    provider: Provider | None,
) -> None:
    """What a case needs comes back from a snapshot; values are compared by hash only."""
    for made in matches:
        targets = [
            replace(target, protected=protected, provider=provider) for target in made.targets
        ]
        one = made.model_copy(update={"targets": tuple(targets)})
        entry = ShardEntry.of(one)
        again = ShardEntry.from_row(tuple(to_lists(entry.row)))
        assert again == entry
        assert again.match() == one.model_copy(update={"values": (), "links": ()})


def to_lists(row: Any) -> Any:
    """Turn tuples into lists, as JSON does."""
    return [to_lists(one) for one in row] if isinstance(row, tuple) else row


def test_groups_are_counted_apart() -> None:
    """Two events each of two senders do not make three of one."""
    shard = new_shard()
    for number in range(4):
        shard.take(batch(match(number), group="gh"[number % 2]), NOW)
    assert deliver(shard) == []
    assert [(one.seen, one.wanted) for one in shard.windows(NOW)] == [(2, 3), (2, 3)]


def test_groups_share_a_definition_until_it_changes() -> None:
    """Each signal brings a copy; a shard of thousands of groups keeps one."""
    shard = new_shard()
    for group in ("g", "h"):
        shard.take(batch(match(1), match(2), match(3), group=group, of=definition()), NOW)
    first, second = shard.due(NOW)
    assert first.definition is second.definition

    patient = definition(linger=HOUR)
    shard.take(batch(match(1), match(2), match(3), group="i", of=patient), NOW)
    assert [one.definition for one in shard.due(NOW)] == [definition(), definition(), patient]


def test_rules_that_count_differently_are_counted_apart() -> None:
    """A rule that was changed counts anew and never acts on what its former version counted."""
    shard = new_shard()
    shard.take(batch(match(1), match(2)), NOW)
    changed = definition(THREE.model_copy(update={"timespan": HOUR}))
    shard.take(batch(match(3), of=changed), NOW)
    assert deliver(shard) == []


def test_what_follows_goes_to_the_case_until_it_closes() -> None:
    """Then counting starts anew, with what the case did not take."""
    shard = new_shard()
    shard.take(batch(match(1, reasons=("why",)), match(2), match(3)), NOW)
    (opening,) = deliver(shard)
    assert (opening.opens, keys([opening]), opening.matches[0].reasons) == (
        True,
        ["m1", "m2", "m3"],
        ("why",),
    )
    assert opening.window == "3 events from 2026-11-28T12:00:00Z to 2026-11-28T12:00:00Z"

    shard.take(batch(match(4)), NOW)
    (further,) = deliver(shard)
    assert (further.opens, keys([further])) == (False, ["m4"])

    shard.take(batch(match(5)), NOW)
    assert keys(deliver(shard, DeliveryResult.CASE_CLOSED)) == ["m5"]
    assert (deliver(shard), [one.seen for one in shard.windows(NOW)]) == ([], [1])
    shard.take(batch(match(6), match(7)), NOW)
    (again,) = deliver(shard)
    assert (again.opens, keys([again])) == (True, ["m5", "m6", "m7"])


def test_matches_that_arrive_during_a_delivery_are_delivered_next() -> None:
    """Nothing is lost between what an activity took and its answer."""
    shard = new_shard()
    shard.take(batch(*map(match, range(3))), NOW)
    (first,) = shard.due(NOW)
    shard.take(batch(match(3)), NOW)
    shard.end_delivery(first, DeliveryResult.DELIVERED, NOW)
    assert keys(deliver(shard)) == ["m3"]
    assert shard.due(NOW) == ()


def test_a_large_group_is_delivered_in_parts() -> None:
    """Each delivery is bounded in bytes; together they have everything, once."""
    shard = new_shard()
    shard.take(batch(*map(match, range(100))), NOW)
    parts = list[Delivery]()
    while due := shard.due(NOW, 2000):
        for one in due:
            assert len(to_json(one)) < 8000
            shard.end_delivery(one, DeliveryResult.DELIVERED, NOW)
        parts += due
    assert len(parts) > 5
    assert sorted(keys(parts)) == sorted(f"m{number}" for number in range(100))


def test_a_refused_delivery_is_repeated_alone() -> None:
    """One case that takes no more does not stop the others; at last its matches are dropped."""
    shard = new_shard()
    for name in "gh":
        shard.take(batch(*map(match, range(3)), group=name), NOW)
    bad, good = shard.due(NOW)
    shard.end_delivery(bad, DeliveryResult.FAILED, NOW)
    shard.end_delivery(good, DeliveryResult.DELIVERED, NOW)
    assert shard.due(NOW) == ()
    assert shard.wake_at() == NOW + RETRY_PAUSE

    shard = reborn(shard)
    assert [one.key for one in shard.due(NOW + RETRY_PAUSE)] == [bad.key]
    shard.end_delivery(bad, DeliveryResult.FAILED, NOW + DELIVERY_PATIENCE)
    (record,) = shard.take_records()
    assert (record.kind, record.detail) == (RecordKind.MATCHES_DROPPED, "3 matches: failed")
    assert shard.due(NOW + 2 * DELIVERY_PATIENCE) == ()


def test_a_rule_that_is_gone_does_not_act() -> None:
    """Its matches are dropped, and that is recorded: not at once, a worker may load it late."""
    shard = new_shard()
    shard.take(batch(*map(match, range(3))), NOW)
    (due,) = deliver(shard, DeliveryResult.RULE_GONE)
    assert shard.take_records() == ()
    assert shard.wake_at() == NOW + RETRY_PAUSE

    shard.end_delivery(due, DeliveryResult.RULE_GONE, NOW + RULE_PATIENCE)
    (record,) = shard.take_records()
    assert (record.rule, record.detail) == ("r", "3 matches: rule_gone")
    assert (shard.wake_at(), shard.size) == (None, 0)


def test_entries_expire_when_no_window_can_contain_them() -> None:
    """An event counts for its timespan and as long as late records may arrive, then is gone."""
    shard = new_shard()
    shard.take(batch(match(1), match(2)), NOW)
    end = NOW + definition().lifetime
    assert shard.wake_at() == end
    shard.expire(end - timedelta(seconds=1))
    assert shard.windows(NOW)
    shard.expire(end)
    assert (shard.windows(NOW), shard.wake_at(), shard.size) == ((), None, 0)


def test_a_steady_group_forgets_what_is_old() -> None:
    """Two events a day never make three in a day, nor does the group grow."""
    shard = new_shard()
    for day in range(30):
        at = NOW + timedelta(days=day)
        later = match(day, 24.1 * day, seen_at=at + timedelta(hours=3))
        shard.take(batch(later), at + timedelta(hours=3))
        assert not shard.due(at)
    assert [one.events for one in shard.windows(at)] == [2]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), max_size=60))
def test_a_full_shard_stays_within_its_bytes(pages: list[tuple[int, int]]) -> None:
    """The snapshot is as large as the shard says; what was dropped was quiet longest."""
    shard, most, number = new_shard(most_bytes=20_000), 20_000, 0
    never = definition(THREE.model_copy(update={"at_least": 10_000}))
    for group, count in pages:
        matches = [match(number + one) for one in range(count)]
        number += count
        shard.take(batch(*matches, group=str(group), of=never), NOW)
        assert shard.size <= most
        body = shard.snapshot().model_copy(update={"definitions": {}, "pending_records": ()})
        assert len(to_json(body)) <= shard.size + 200
    if pages:
        assert any(one.group == {"from": str(pages[-1][0])} for one in shard.windows(NOW))
    kept = sum(one.events for one in shard.windows(NOW))
    dropped = sum(int((one.detail or "").split()[0]) for one in shard.take_records())
    assert kept + dropped == number


def test_one_group_does_not_push_out_the_others() -> None:
    """A group that fills its share loses its own oldest entries."""
    shard = new_shard(most_bytes=40_000)
    never = definition(THREE.model_copy(update={"at_least": 10_000}))
    shard.take(batch(match(1), group="small"), NOW)
    for number in range(500):
        shard.take(batch(match(number, number / 1000), group="big", of=never), NOW)
    (small,) = [one for one in shard.windows(NOW) if one.group == {"from": "small"}]
    (big,) = [one for one in shard.windows(NOW) if one.group == {"from": "big"}]
    assert small.events == 1
    assert 20 < big.events < 100
    assert {one.kind for one in shard.take_records()} == {RecordKind.MATCHES_DROPPED}


def test_a_satisfied_group_is_dropped_last() -> None:
    """A case that is due survives groups that only count."""
    shard = new_shard(most_bytes=5_000)
    shard.take(batch(*map(match, range(3)), group="satisfied"), NOW)
    for number in range(50):
        shard.take(batch(match(number), group=str(number)), NOW)
    assert keys(shard.due(NOW)) == ["m0", "m1", "m2"]


def test_a_page_that_satisfies_its_group_is_kept_whole() -> None:
    """What a case will get is not cut to the share of a group that only counts."""
    shard = new_shard(most_bytes=40_000)
    shard.take(batch(*map(match, range(200))), NOW)
    assert len(keys(deliver(shard))) == 200
    assert shard.take_records() == ()


def test_matches_that_outrun_their_case_are_not_dropped() -> None:
    """A campaign arrives faster than it is delivered: its case gets all, others are counted on."""
    shard = new_shard(most_bytes=40_000)
    shard.take(batch(match(999), group="quiet"), NOW)
    for page in range(10):
        shard.take(batch(*map(match, range(page * 100, page * 100 + 100))), NOW)
    assert not shard.is_portable
    assert shard.take_records() == ()
    assert [one.events for one in shard.windows(NOW)] == [1]

    found = list[str]()
    while some := deliver(shard):
        found += keys(some)
    assert sorted(found) == sorted(f"m{number}" for number in range(1000))
    assert shard.is_portable


def test_a_shard_that_must_continue_keeps_what_fits() -> None:
    """Of matches that no case takes for hours, the oldest are dropped, and that is recorded."""
    shard = new_shard(most_bytes=40_000)
    shard.take(batch(match(999), group="quiet"), NOW)
    shard.take(batch(*(match(number, number / 1000) for number in range(1000))), NOW)
    shard.shrink(NOW)
    assert shard.is_portable
    assert shard.size > 20_000
    kept = keys(deliver(shard))
    assert kept == [f"m{number}" for number in range(1000 - len(kept), 1000)]
    details = [one.detail for one in shard.take_records()]
    assert details == [f"{1001 - len(kept)} matches of several groups: the shard is full"]


def test_a_flood_of_groups_is_one_record_and_drops_the_quietest() -> None:
    """Neither records nor groups pile up, however many there are, and what is newest counts."""
    shard = new_shard(most_bytes=20_000)
    for number in range(1000):
        shard.take(batch(match(number), group=f"g{number}"), NOW)
    (record,) = reborn(shard).take_records()
    groups = {one.group["from"] for one in shard.windows(NOW, limit=1000)}
    assert groups == {f"g{number}" for number in range(1000 - len(groups), 1000)}
    assert record.case is None
    assert record.detail == f"{1000 - len(groups)} matches of several groups: the shard is full"


def test_what_has_expired_is_not_shown() -> None:
    """Even while the shard, which nothing wakes, still remembers it."""
    shard = new_shard()
    shard.take(batch(match(1), match(2)), NOW)
    end = NOW + definition().lifetime
    assert shard.windows(end - timedelta(seconds=1))
    assert shard.windows(end) == ()


def test_matches_without_a_definition_are_recorded() -> None:
    """A defect of a sender is on record; the other groups are counted."""
    good = batch(match(1))
    shard = new_shard()
    bad = GroupMatches(definition="none", group={}, matches=(match(2),))
    shard.take(good.model_copy(update={"groups": (bad, *good.groups)}), NOW)
    assert [one.kind for one in shard.take_records()] == [RecordKind.EVENT_REJECTED]
    assert len(shard.windows(NOW)) == 1


def wide(number: int, hours: float = 0) -> Match:
    """Build a match that takes as many bytes as a match usually takes at most."""
    target = Target(id=f"m{number}", message_id="", at=NOW)
    bare = match(number, hours, targets=(target,))
    noise = "x" * (USUAL_BYTES - ShardEntry.of(bare).size)
    return match(number, hours, targets=(replace(target, message_id=noise),))


@pytest.mark.parametrize("before", [0, 88, 349])
def test_the_largest_threshold_always_opens_a_case(before: int) -> None:
    """It does so however many older matches, outside its window, the group counts already."""
    shard = new_shard()
    window = THREE.model_copy(update={"at_least": MOST_COUNTED, "timespan": HOUR})
    of = definition(window)
    shard.take(batch(*(wide(number, -2 - 2 * number) for number in range(before)), of=of), NOW)
    for number in range(1000, 1000 + MOST_COUNTED):
        assert not shard.due(NOW)
        shard.take(batch(wide(number), of=of), NOW)
    assert shard.due(NOW)


@pytest.mark.parametrize(
    ("window", "field"),
    [
        (CorrelationWindow(type="value_count", timespan=24 * HOUR, at_least=3), "values"),
        (CorrelationWindow(type="temporal", timespan=24 * HOUR, rules=("1", "2", "3")), "rule"),
        (
            CorrelationWindow(type="temporal_ordered", timespan=24 * HOUR, rules=("1", "2", "3")),
            "rule",
        ),
    ],
)
@pytest.mark.parametrize("order", [1, -1], ids=["forward", "backward"])
def test_a_large_campaign_never_pushes_out_the_others(
    window: CorrelationWindow, field: str, order: int
) -> None:
    """What counts as others do goes first, so three campaigns are three, however large each is."""
    shard, known = new_shard(), definition(window)
    many = [
        match(
            2000 * part + number,
            part + number / 2000,
            **{field: (str(part),) if field == "values" else str(part)},
        )
        for part in (1, 2, 3)
        for number in range(2000)
    ]
    for start in range(0, 6000, 500):
        shard.take(batch(*many[::order][start : start + 500], of=known), NOW)
    assert shard.is_portable or shard.due(NOW)
    assert [one.opens for one in deliver(shard)] == [True]


def test_a_shard_of_full_size_fits_twice_into_a_payload() -> None:
    """The bound is far below the two MiB of a payload."""
    assert MOST_BYTES < 1024 * 1024 * 3 // 4


def test_numbers_are_added_up_across_pages_and_runs() -> None:
    """A sum of recipients is reached with the matches of another page and run."""
    bound = Bound(comparison=Comparison.GTE, number=1e6)
    window = CorrelationWindow(type=CorrelationType.VALUE_SUM, timespan=HOUR, bound=bound)
    shard = new_shard()
    shard.take(batch(match(1, values=("999999.25",)), of=definition(window)), NOW)
    assert deliver(shard) == []

    shard = reborn(shard)
    shard.take(batch(match(2, values=("0.75",)), of=definition(window)), NOW)

    assert keys(deliver(shard)) == ["m1", "m2"]


def test_a_value_never_passes_for_the_hash_of_another() -> None:
    """Short values are kept, long ones are hashed, and both stay apart."""
    long = "a value that is much too long to be kept"
    (hashed,) = ShardEntry.of(match(1, values=(long,))).values
    (other,) = ShardEntry.of(match(2, values=(hashed,))).values
    assert len(hashed) < len(long)
    assert other != hashed
