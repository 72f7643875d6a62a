"""The mark on entries of ours: read back as written, and broken by any edit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions.policy import PolicyAction
from clawback.actions.registry import ACTIONS
from clawback.model.claims import NEVER, Claim
from clawback.model.policies import Resource
from clawback.model.policy_marks import (
    EXTENDED,
    MAX_COMMENTS,
    SEALED_FIELDS,
    PolicyMark,
    extend_mark,
    fields_of,
    read_mark,
    seal_comments,
)
from clawback.model.reconciliation import PolicyState, find_gone, judge_entry

END = datetime(2026, 12, 31, 12, tzinfo=UTC)
LATER = END + timedelta(days=7)
MADE = "clawback case/block_bec/0123abcd expires 2026-12-31T12:00:00Z case-run:11-22"
MARK = PolicyMark(
    "case/block_bec/0123abcd", "block_bec", "case-run:11-22", "soc", END, is_intact=True
)

resources = st.sampled_from(Resource)
values = st.one_of(st.booleans(), st.text(min_size=1, max_size=12).filter(str.strip))


def fields(resource: Resource) -> st.SearchStrategy[dict[str, Any]]:
    """All fields that clawback writes to a list, with any values."""
    return st.fixed_dictionaries(dict.fromkeys(SEALED_FIELDS[resource], values))


def record(resource: Resource, written: dict[str, Any], comments: str = MADE) -> SimpleNamespace:
    """An entry as the API lists it: what is false is left out."""
    kept = {name: value or None for name, value in written.items()}
    return SimpleNamespace(**kept, comments=seal_comments(comments, resource, written, "soc"))


@given(st.data(), resources)
def test_a_mark_is_read_back_as_it_was_written(data: st.DataObject, resource: Resource) -> None:
    """Also between words that people wrote around it."""
    entry = record(resource, data.draw(fields(resource)))
    assert read_mark(resource, entry) == MARK
    entry.comments = f"Ana: keep until the audit. {entry.comments} (see T-12)"
    assert read_mark(resource, entry) == MARK


@given(st.data(), resources)
def test_an_extension_is_read_back_as_a_claim_of_its_own(
    data: st.DataObject, resource: Resource
) -> None:
    """What people wrote around it stays, and so does the end that the case wanted."""
    entry = record(resource, data.draw(fields(resource)))
    entry.comments = f"Ana: keep. {entry.comments} (see T-12)"
    for until in (LATER, LATER + timedelta(days=1)):
        entry.comments = extend_mark(resource, entry, until)
        assert read_mark(resource, entry) == replace(MARK, extended_to=until)
        assert (entry.comments[:10], entry.comments[-11:]) == ("Ana: keep.", " (see T-12)")
        assert extend_mark(resource, entry, until) is None

    mark = read_mark(resource, entry)
    assert mark is not None
    assert mark.claims.end == LATER + timedelta(days=1)
    assert mark.claims.without(MARK.owner).end == mark.claims.end
    assert mark.claims.without(EXTENDED).end == END


def test_what_people_have_edited_is_not_extended() -> None:
    """Nor what has no mark, or no room for it."""
    entry = record(Resource.BLOCK_SENDERS, {"pattern": "a@b.test"})
    entry.pattern = "*"
    assert extend_mark(Resource.BLOCK_SENDERS, entry, LATER) is None
    assert extend_mark(Resource.BLOCK_SENDERS, SimpleNamespace(comments="by hand"), LATER) is None
    full = record(Resource.BLOCK_SENDERS, {"pattern": "a@b.test"})
    full.comments = full.comments.rjust(MAX_COMMENTS)
    assert extend_mark(Resource.BLOCK_SENDERS, full, LATER) is None


def test_an_entry_without_an_end_is_claimed_for_ever() -> None:
    """No other claim ends it sooner."""
    permanent = replace(MARK, expires_at=None)
    assert permanent.claims.plus(Claim(owner="case-run:3", expires_at=END)).end == NEVER


@given(st.data(), resources)
def test_an_edited_field_breaks_the_seal(data: st.DataObject, resource: Resource) -> None:
    """Every field that clawback writes; case and spaces around a value do not count."""
    written = data.draw(fields(resource))
    entry = record(resource, written)
    name = data.draw(st.sampled_from(SEALED_FIELDS[resource]))
    new = data.draw(values)
    setattr(entry, name, new)

    def folded(value: object) -> object:
        return value.strip().casefold() if isinstance(value, str) else value or False

    mark = read_mark(resource, entry)
    assert mark is not None
    assert mark.is_intact or folded(new) != folded(written[name]) or _has_regex(written, new)
    if not mark.is_intact:
        assert mark == replace(MARK, is_intact=False)


def _has_regex(*written: Any) -> bool:
    # Where a flag says that a text is an expression, case matters, and the flag itself may change.
    return any(one is True or (isinstance(one, dict) and True in one.values()) for one in written)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-12-31T12", "2027-12-31T12"),
        ("2026-12-31T12", "2026-13-31T12"),
        ("block_bec", "block_other"),
        ("case-run:11", "case-run:12"),
    ],
)
def test_an_edited_mark_breaks_the_seal(old: str, new: str) -> None:
    """A later end, one that does not exist, another rule or run."""
    entry = record(Resource.BLOCK_SENDERS, {"pattern": "a@bad.test", "pattern_type": "EMAIL"})
    entry.comments = entry.comments.replace(old, new)
    mark = read_mark(Resource.BLOCK_SENDERS, entry)
    assert mark is not None
    assert not mark.is_intact


@pytest.mark.parametrize(
    "comments", [None, "", "blocked by Ana", MADE, "clawback case/x/1 by:soc/0"]
)
def test_comments_of_others_are_no_mark(comments: str | None) -> None:
    """Nor is what only looks like one."""
    assert read_mark(Resource.BLOCK_SENDERS, SimpleNamespace(comments=comments)) is None


def test_a_mark_without_an_end_has_none() -> None:
    """A policy that was made for ever."""
    made = MADE.replace(" expires 2026-12-31T12:00:00Z", "")
    entry = record(Resource.TRUSTED_DOMAINS, {"pattern": "good.test"}, made)
    assert read_mark(Resource.TRUSTED_DOMAINS, entry) == replace(MARK, expires_at=None)


def test_comments_never_become_longer_than_the_api_takes() -> None:
    """Rather no seal than no block."""
    long = MADE.replace("0123abcd", "0" * 930)
    assert len(seal_comments(long, Resource.BLOCK_SENDERS, {}, "soc")) <= MAX_COMMENTS


@pytest.mark.parametrize(
    "action", [one for one in ACTIONS.values() if issubclass(one, PolicyAction)], ids=str
)
def test_the_seal_covers_what_actions_write(action: type[PolicyAction]) -> None:
    """Each field of each action, and no field that the API may fill in by itself."""
    parameters = {"pattern": "good.test", "display_name": "Ruth", "email": "r@good.test"}
    known = {name: parameters[name] for name in parameters if name in action.model_fields}
    kind = {"kind": "domain"} if "kind" in action.model_fields else {}
    made = action.model_validate(known | kind | {"name": action.model_fields["name"].default})
    assert set(made.fields) == set(SEALED_FIELDS[action.resource])
    assert fields_of(action.resource, SimpleNamespace(**made.fields)) == made.fields


@given(
    is_known=st.booleans(),
    has_mark=st.booleans(),
    intact=st.booleans(),
    ours=st.booleans(),
    ends=st.booleans(),
)
def test_judgements(
    *, is_known: bool, has_mark: bool, intact: bool, ours: bool, ends: bool
) -> None:
    """Only what is surely ours, unknown and meant to end is adopted."""
    mark = replace(
        MARK,
        is_intact=intact,
        installation="soc" if ours else "lab",
        expires_at=END if ends else None,
    )
    state = judge_entry(mark if has_mark else None, "soc", is_known=is_known)
    is_adopted = not is_known and has_mark and intact and ours and ends
    assert (state is PolicyState.ADOPTED) is is_adopted
    if is_known:
        assert state is (PolicyState.KNOWN if has_mark and intact else PolicyState.CHANGED)
    elif has_mark and not ours:
        assert state is PolicyState.FOREIGN


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_what_is_known_and_not_listed_is_gone(known: set[str], listed: set[str]) -> None:
    """And nothing else."""
    assert find_gone(known, listed) == sorted(one for one in known if one not in listed)
