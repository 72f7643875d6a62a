"""Requests are strict: ids stay in their path segment, times are aware, values are checked."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.cloudflare.api_request import (
    ApiRequest,
    Method,
    check_ids,
    check_page_size,
    check_text,
    encode_query,
    encode_segment,
    format_time,
)


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(
        lambda text: text not in {".", ".."}
    )
)
def test_an_id_is_exactly_one_segment(identity: str) -> None:
    """Any id stays between its two slashes and can be decoded again."""
    path = ApiRequest(Method.GET, "investigate/{id}/move", (identity,)).path
    assert urlsplit(f"http://h/{path}").path == f"/{path}"
    assert [unquote(part) for part in path.split("/")] == ["investigate", identity, "move"]


def test_an_id_is_encoded_as_the_official_client_does() -> None:
    """Colons stay; slash, question mark, hash, blank and percent are encoded (reference §7)."""
    assert encode_segment("4Njp-2024-01-05T10:00:00-1") == "4Njp-2024-01-05T10:00:00-1"
    assert encode_segment("a/b?c#d e%") == "a%2Fb%3Fc%23d%20e%25"


@pytest.mark.parametrize("identity", ["", ".", ".."])
def test_an_id_that_would_address_something_else_is_refused(identity: str) -> None:
    """An empty id would delete the collection instead of one entry."""
    with pytest.raises(ValueError, match="id"):
        encode_segment(identity)


def test_two_ids_fill_two_places() -> None:
    """Each placeholder takes the next id, even one that looks like a placeholder."""
    assert ApiRequest(Method.GET, "a/{id}/b/{id}", ("{id}", "2")).path == "a/%7Bid%7D/b/2"


def test_times_are_sent_in_utc_with_microseconds() -> None:
    """Another offset is converted to `Z`."""
    assert (
        format_time(datetime(2026, 11, 1, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2))))
        == "2026-10-31T23:02:03.000004Z"
    )
    assert format_time(datetime(2026, 11, 1, tzinfo=UTC)) == "2026-11-01T00:00:00.000000Z"


def test_a_time_without_offset_is_refused() -> None:
    """A naive time could mean any time zone."""
    with pytest.raises(ValueError, match="aware"):
        format_time(datetime(2026, 11, 1))  # noqa: DTZ001 - what is tested


def test_a_query_leaves_out_what_is_not_given() -> None:
    """None is omitted, booleans are lower case, a sequence repeats its key."""
    call = ApiRequest(
        Method.GET,
        "x",
        query=encode_query({"a": None, "b": False, "c": 3, "d": ["x y", "z"], "e": "ü&="}),
    )
    assert parse_qsl(urlsplit(call.path).query) == [
        ("b", "false"),
        ("c", "3"),
        ("d", "x y"),
        ("d", "z"),
        ("e", "ü&="),
    ]


@pytest.mark.parametrize("ids", [[], ["a", ""], ["a"] * 1001, "abc"])
def test_a_bulk_request_takes_one_to_a_thousand_ids(ids: list[str]) -> None:
    """Too few, too many, an empty one, or a string instead of a list."""
    with pytest.raises(ValueError, match="1 to 1000 ids"):
        check_ids(ids)


@pytest.mark.parametrize("size", [0, 1001, -1])
def test_a_page_has_one_to_a_thousand_records(size: int) -> None:
    """The API accepts no other size."""
    with pytest.raises(ValueError, match="per_page"):
        check_page_size(size)


def test_texts_are_bounded_before_they_are_sent() -> None:
    """A pattern needs a character, a comment does not; neither may be longer than 1,024."""
    assert check_text("comments", "") == ""
    for text, empty in (("", False), ("x" * 1025, True)):
        with pytest.raises(ValueError, match="1024"):
            check_text("pattern", text, empty=empty)


def test_only_a_post_is_not_repeatable() -> None:
    """POST is unsafe unless marked idempotent; every other method may be repeated."""
    assert [method for method in Method if not ApiRequest(method, "x").is_repeatable] == [
        Method.POST
    ]
    assert ApiRequest(Method.POST, "x", idempotent=True).is_repeatable
