"""How an entry of a policy list is compared with the one that clawback created."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.policies import has_fields, normalised_fields

_TEXTS = st.sampled_from(["a@x.test", "A@X.test ", "b@x.test", r"\S", r"\s", ""])
_FIELDS = st.fixed_dictionaries(
    {"pattern": _TEXTS, "is_regex": st.booleans()},
    optional={"is_recent": st.booleans(), "pattern_type": st.sampled_from(["EMAIL", "email"])},
)


@pytest.mark.parametrize(
    ("recorded", "fields", "expected"),
    [
        ({"pattern": "A@X.test "}, {"pattern": "a@x.test"}, True),
        ({"pattern": "b@x.test"}, {"pattern": "a@x.test"}, False),
        ({"pattern": "a@bücher.example"}, {"pattern": "a@xn--bcher-kva.example"}, True),
        ({"pattern": "::ffff:8.8.8.0/120"}, {"pattern": "8.8.8.0/24"}, True),
        ({"pattern": "8.8.8.8"}, {"pattern": "8.8.8.0/24"}, False),
        ({"pattern": "a", "is_regex": None}, {"pattern": "a", "is_regex": False}, True),
        ({"pattern": "a", "is_regex": True}, {"pattern": "a", "is_regex": False}, False),
        ({"pattern": r"\S", "is_regex": True}, {"pattern": r"\S", "is_regex": True}, True),
        ({"pattern": r"\s", "is_regex": True}, {"pattern": r"\S", "is_regex": True}, False),
        ({"pattern": "a ", "is_regex": True}, {"pattern": "a", "is_regex": True}, False),
        ({"email": r"\w", "is_email_regex": True}, {"email": r"\W", "is_email_regex": True}, False),
    ],
)
def test_only_regular_expressions_are_compared_exactly(
    recorded: dict[str, str | bool | None], fields: dict[str, str | bool], *, expected: bool
) -> None:
    """Addresses and domains ignore case and blanks; a missing flag is false."""
    assert has_fields(SimpleNamespace(**recorded), fields) is expected


@given(_FIELDS, _FIELDS)
def test_normalised_fields_are_equal_where_entries_are(
    fields: dict[str, str | bool], other: dict[str, str | bool]
) -> None:
    """A look-up by normalised fields finds what a comparison of each field finds."""
    found = {name: other.get(name) for name in fields}
    is_same = has_fields(SimpleNamespace(**other), fields)
    assert (normalised_fields(fields) == normalised_fields(found)) == is_same
