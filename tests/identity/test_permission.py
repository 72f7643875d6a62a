"""Roles, sign-in, and decisions of two people."""

import os
import pwd
import socket

import pytest

from clawback.identity.local import local_identity
from clawback.identity.permission import Policy, refusal
from clawback.model.identity import Role
from tests.people import person

ALONE = Policy()
WITH_PROVIDER = Policy(has_provider=True)


def test_the_local_identity_comes_from_the_system_and_not_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`LOGNAME=ceo clawback …` stays whoever runs it."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(variable, "ceo")
    identity = local_identity()
    user, host = pwd.getpwuid(os.getuid()).pw_name, socket.gethostname()
    assert (identity.subject, identity.host) == (f"{user}@{host}", host)
    assert not identity.is_verified


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in many containers."""
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert local_identity().subject.startswith("uid-987654@")


@pytest.mark.parametrize("own", Role)
@pytest.mark.parametrize("needed", Role)
def test_a_role_includes_the_ones_before_it(own: Role, needed: Role) -> None:
    """Viewer, analyst, operator."""
    order = [Role.VIEWER, Role.ANALYST, Role.OPERATOR]
    found = refusal(person("ana", own).identity, needed, ALONE, to="do it")
    assert (found is None) is (order.index(own) >= order.index(needed))


def test_where_people_can_sign_in_they_must() -> None:
    """The refusal names the command."""
    found = refusal(person("ana").identity, Role.ANALYST, WITH_PROVIDER, to="approve")
    assert found == "to approve, sign in first: `clawback login`"
    ana = person("ana", verified=True).identity
    assert refusal(ana, Role.ANALYST, WITH_PROVIDER, to="approve") is None


@pytest.mark.parametrize(
    ("verified", "policy", "is_allowed"),
    [
        (False, ALONE, False),
        (False, Policy(allows_unverified=True), True),
        (True, WITH_PROVIDER, True),
        (False, Policy(has_provider=True, allows_unverified=True), False),
    ],
    ids=["alone", "allowed", "signed in", "not signed in"],
)
def test_two_people_must_be_told_apart(*, verified: bool, policy: Policy, is_allowed: bool) -> None:
    """By a provider, or if the safety file accepts it, by the operating system."""
    identity = person("ana", verified=verified).identity
    found = refusal(identity, Role.ANALYST, policy, to="approve", people=2)
    assert (found is None) is is_allowed
    if policy == ALONE:
        assert "`unverified_approvals: allowed` in safety.yml" in (found or "")


def test_one_person_is_one_however_they_write_their_name() -> None:
    """Unless a provider says who it is: there, subjects are exact."""
    assert person("Ana ").identity.person == person("ana").identity.person
    assert person("ana", verified=True).identity.person != person("ana").identity.person
    assert (
        person("Ana", verified=True).identity.person != person("ana", verified=True).identity.person
    )
