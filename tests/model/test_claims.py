"""Claims on an entry: it stands until the latest end that anybody wants."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clawback.model.claims import MOST_CLAIMS, Claim, Claims

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def claim(owner: str, days: int) -> Claim:
    """A claim of a case."""
    return Claim(owner=owner, expires_at=NOW + timedelta(days=days), rule=owner)


def test_the_latest_end_counts() -> None:
    """Whoever came first."""
    claims = Claims().plus(claim("a", 1)).plus(claim("b", 30)).plus(claim("c", 7))
    assert claims.end == NOW + timedelta(days=30)
    assert [one.owner for one in claims.kept] == ["b", "c", "a"]


def test_a_withdrawn_claim_leaves_the_others() -> None:
    """The end is then the latest of those; without any there is none."""
    claims = Claims().plus(claim("a", 1)).plus(claim("b", 30)).without("b")
    assert claims.end == NOW + timedelta(days=1)
    assert claims.without("a").end is None


def test_what_has_ended_is_no_claim() -> None:
    """A claim that expired no longer keeps an entry whose other claims are withdrawn."""
    claims = Claims().plus(claim("a", 1)).plus(claim("b", 30)).at(NOW + timedelta(days=2))
    assert claims.count == 1
    assert claims.without("b").count == 0


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 100)), max_size=200))
def test_claims_are_bounded_and_no_end_is_forgotten(wanted: list[tuple[int, int]]) -> None:
    """However many want an entry, it stands until the latest end, and few claims are kept."""
    claims = Claims()
    for owner, days in wanted:
        claims = claims.plus(claim(str(owner), days))

    assert len(claims.kept) <= MOST_CLAIMS
    assert len({one.owner for one in claims.kept}) == len(claims.kept)
    latest = max((days for _, days in wanted), default=None)
    assert claims.end == (None if latest is None else NOW + timedelta(days=latest))
