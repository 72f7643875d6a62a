"""How an entry of a policy list is found: each list names the filters that its endpoint has."""

import inspect
import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from clawback.cloudflare.account_settings import AccountSettings
from clawback.cloudflare.account_settings.policy_list import PolicyList
from tests.cloudflare.support import envelope, recording

POLICIES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "policies.json").read_text(encoding="utf-8")
)
LISTS = {
    name: kind
    for name, kind in get_type_hints(AccountSettings).items()
    if isinstance(kind, type) and issubclass(kind, PolicyList) and "create" in vars(kind)
}
EXPECTED = {
    "allow_policies": {"pattern"},
    "block_senders": {"pattern"},
    "impersonation_registry": {"search"},
    "trusted_domains": {"pattern"},
}


def documented_filters(kind: type[PolicyList[Any]]) -> set[str]:
    """Return the names of the filters that the `list` of a class takes."""
    parameters = inspect.signature(kind.list).parameters  # type: ignore[attr-defined] # subclasses define it
    if "filters" not in parameters:
        return set()
    (options,) = get_args(parameters["filters"].annotation)
    return set(get_type_hints(options))


@pytest.mark.parametrize("name", LISTS)
async def test_every_list_is_filtered_by_what_its_endpoint_takes(name: str) -> None:
    """A list without such a filter is read whole; the others send the value of the entry."""
    fields, requests = POLICIES[name]["read"], list[httpx.Request]()
    policies = getattr(recording(requests, envelope([])).settings, name)

    filters = policies.filters_for(fields)
    await policies.list(**filters)

    assert set(filters) == EXPECTED.get(name, set())
    assert set(filters) <= documented_filters(LISTS[name])
    sent = dict(requests[0].url.params)
    assert {key: sent[key] for key in filters} == filters
    assert sent.keys() - filters.keys() == {"page", "per_page"}


def test_a_field_that_is_not_given_is_no_filter() -> None:
    """`None` would find nothing."""
    assert LISTS["block_senders"].filters_for({"pattern": None}) == {}
    assert LISTS["block_senders"].filters_for({}) == {}


def test_every_list_that_rules_write_to_is_covered() -> None:
    """The expectation above names only lists that exist."""
    assert EXPECTED.keys() < LISTS.keys()
