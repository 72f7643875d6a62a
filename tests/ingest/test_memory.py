"""What ingest remembers is bounded in bytes and in entries, whatever mail brings."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawback.ingest.json_cache import JsonCache
from clawback.ingest.memory import RecentHashes, fingerprint
from clawback.model.events import Event, EventKind

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MOST = 10_000


def message(**fields: Any) -> Event:
    """A message with some fields."""
    return Event(EventKind.MESSAGE, "1", NOW, {"id": "1", **fields})


@given(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3_000)), max_size=60))
def test_a_json_cache_keeps_the_latest_within_its_bytes(values: list[tuple[int, str]]) -> None:
    """What it keeps is what was set last; what does not fit is forgotten, not an error."""
    cache = JsonCache[int](MOST)
    latest: dict[int, str] = {}
    for key, text in values:
        cache.set(key, {"text": text})
        latest[key] = text
        assert cache.size <= MOST
        kept = {one: cache.get(one) for one in latest}
        assert all(found == {"text": latest[one]} for one, found in kept.items() if found)


def test_a_json_cache_keeps_no_object_that_is_larger_than_itself() -> None:
    """Nor an older one under the same key."""
    cache = JsonCache[str](MOST)
    cache.set("a", {"text": "small"})
    cache.set("a", {"text": "x" * MOST})
    assert cache.get("a") is None
    cache.set("a", {"text": object()})
    assert cache.get("a") is None


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(2, 20))
def test_recent_hashes_forget_only_what_is_old(values: list[int], most: int) -> None:
    """The last `most / 2` different values are known, and never more than `most`."""
    recent = RecentHashes(most)
    for value in values:
        recent.add(value)
        assert len(recent) <= most
    latest = list(dict.fromkeys(reversed(values)))[: most // 2]
    assert all(value in recent for value in latest)
    assert -1 not in recent


def test_odd_records_have_a_fingerprint() -> None:
    """A list or an object in place of a text changes it, and is no error."""
    odd = [["MALICIOUS"], {"a": 1}, None, "MALICIOUS", 5]
    prints = {fingerprint(message(final_disposition=one), "v") for one in odd}
    assert len(prints) == len(odd)
    assert fingerprint(message(final_disposition=["MALICIOUS"]), "v") in prints
