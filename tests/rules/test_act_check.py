"""What is asked again right before a request leaves, one change at a time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clawback.actions import BlockSender, ContainmentAction, Move
from clawback.cases import CasePlan
from clawback.cases.authority import Authority
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules import RuleSet
from clawback.rules.act_check import LiveActCheck
from clawback.rules.eligibility import cap_plan
from clawback.rules.loader import load_rules
from tests.rules.folders import LOGSOURCE, PLAIN, message, write

MOVE = Move(destination=Destination.JUNK)
EXCEPTION = f"""title: Not the boss
name: not_the_boss
owner: ana@corp.test
{LOGSOURCE}filter:
  rules: [a_rule]
  boss: {{to: boss@corp.test}}
  condition: not boss
"""


def loaded(folder: Path, text: str = PLAIN, **files: str) -> RuleSet:
    """The rules of a folder with one rule."""
    named = {f"{name}.yml": content for name, content in files.items()}
    name = "b_rule.yml" if "name: b_rule" in text else "a_rule.yml"
    return load_rules(write(folder, {name: text, **named}))


def planned(rules: RuleSet) -> CasePlan:
    """The plan that the rules make for a mail."""
    (match,) = rules.evaluate(message(from_="a@x.test")).matches
    return match.plan


def authority_of(plan: CasePlan, *, approved: bool = False) -> Authority:
    """What a case of a plan rests on."""
    return Authority(
        rule=plan.rule,
        mode=plan.mode,
        actions_version=plan.actions_version,
        condition_versions=(plan.condition_version,),
        oldest=datetime.now(UTC) - timedelta(hours=1),
        approved=approved,
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """What a case rests on that the rule has just opened."""
    return authority_of(planned(loaded(tmp_path / "before")))


CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "description": (lambda text: text.replace("title: A rule", "title: The rule"), ""),
    "tests": (lambda text: text.replace("yes it is", "a@x.test"), ""),
    "removed": (lambda text: text.replace("a_rule", "b_rule"), "the rule was removed"),
    "shadow": (lambda text: text.replace("mode: enforce", "mode: shadow"), "was set to shadow"),
    "approve": (lambda text: text.replace("mode: enforce", "mode: approve"), "was set to approve"),
    "actions": (lambda text: text.replace("JunkEmail", "DeletedItems"), "has other actions"),
    "condition": (
        lambda text: text.replace(
            "{from: a@x.test}\n  condition", "{from: [a@x.test, c@x.test]}\n  condition"
        ),
        "condition or exceptions have changed",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_rule_that_was_changed_is_asked_about(
    name: str, tmp_path: Path, authority: Authority
) -> None:
    """What changes nothing that it does is no objection; people may approve all else."""
    change, expected = CHANGES[name]
    rules = loaded(tmp_path / "after", change(PLAIN))
    objection = LiveActCheck(lambda: rules, Mode.ENFORCE).find_objection(authority, MOVE)
    if not expected:
        assert objection is None
        return

    assert objection is not None
    assert objection.outcome is None
    assert expected in objection.reason
    approved = authority.model_copy(update={"approved": True})
    assert LiveActCheck(lambda: rules, Mode.ENFORCE).find_objection(approved, MOVE) is None


def test_a_new_exception_is_asked_about(tmp_path: Path, authority: Authority) -> None:
    """A mail that matched before may be one that is excepted now."""
    rules = loaded(tmp_path / "after", PLAIN, **{"exceptions/boss": EXCEPTION})
    objection = LiveActCheck(lambda: rules, Mode.ENFORCE).find_objection(authority, MOVE)
    assert objection is not None
    assert "condition or exceptions have changed" in objection.reason


def test_a_delivery_mode_that_is_ignored_now_is_asked_about(
    tmp_path: Path, authority: Authority
) -> None:
    """Its mail matched while it was not ignored."""
    files = {"a_rule.yml": PLAIN, "safety.yml": "ignored_delivery_modes: [BCC]\n"}
    rules = load_rules(write(tmp_path / "after", files))
    objection = LiveActCheck(lambda: rules, Mode.ENFORCE).find_objection(authority, MOVE)
    assert objection is not None
    assert objection.outcome is None


@pytest.mark.parametrize(("ceiling", "outcome"), [(Mode.SHADOW, "would"), (Mode.APPROVE, None)])
def test_a_lower_ceiling_holds_or_records(
    ceiling: Mode, outcome: str | None, tmp_path: Path, authority: Authority
) -> None:
    """In shadow nothing leaves, whoever has approved it."""
    rules = loaded(tmp_path / "after")
    check = LiveActCheck(lambda: rules, ceiling)
    objection = check.find_objection(authority, MOVE)
    assert objection is not None
    assert objection.outcome == outcome
    approved = check.find_objection(authority.model_copy(update={"approved": True}), MOVE)
    assert (approved.outcome if approved else None) == outcome


def test_a_demoted_rule_needs_people(tmp_path: Path, authority: Authority) -> None:
    """The guard refuses its reservations; what was reserved before stays here as well."""
    rules = loaded(tmp_path / "after")
    check = LiveActCheck(lambda: rules, Mode.ENFORCE, demoted=lambda: {"a_rule"})
    objection = check.find_objection(authority, MOVE)
    assert objection is not None
    assert "clawback rules confirm" in objection.reason


@pytest.mark.parametrize(("limit", "is_held"), [("off", False), (timedelta(minutes=30), True)])
def test_a_message_that_has_become_too_old_needs_people(
    limit: timedelta, tmp_path: Path, authority: Authority, *, is_held: bool
) -> None:
    """The age limit holds when the request leaves, not only when the mail matched."""
    rules = loaded(tmp_path / "after")
    objection = LiveActCheck(lambda: rules, Mode.ENFORCE, limit).find_objection(authority, MOVE)
    assert (objection is not None) is is_held


FORBIDDEN: dict[str, tuple[ContainmentAction, str, str]] = {
    "hard delete": (Move(destination=Destination.PURGES), "{}\n", "failed:hard_delete"),
    "never-block list": (
        BlockSender(pattern="a@x.test"),
        "never_block: {addresses: [a@x.test]}\n",
        "failed:never_block",
    ),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_nobody_may_approve_what_safety_forbids_now(
    name: str, tmp_path: Path, authority: Authority
) -> None:
    """It was permitted when the messages matched."""
    action, safety, outcome = FORBIDDEN[name]
    rules = load_rules(write(tmp_path / "after", {"a_rule.yml": PLAIN, "safety.yml": safety}))
    approved = authority.model_copy(update={"approved": True})
    objection = LiveActCheck(lambda: rules, Mode.ENFORCE).find_objection(approved, action)
    assert objection is not None
    assert objection.outcome == outcome


ASKING = PLAIN.replace("mode: enforce", "mode: approve").replace(
    "    - move: {destination: JunkEmail}",
    "    - move: {destination: RecoverableItemsDeletions}\n"
    "  while-held: {move: {destination: JunkEmail}}",
)
WITHDRAWALS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "nothing": (lambda text: text, "{}\n", ""),
    "status": (lambda text: text.replace("stable", "test"), "{}\n", "was set to approve"),
    "mode": (lambda text: text.replace("mode: approve", "mode: shadow"), "{}\n", "set to shadow"),
    "folder": (lambda text: text.replace("JunkEmail", "DeletedItems"), "{}\n", "other actions"),
    "removed": (
        lambda text: text.replace("  while-held: {move: {destination: JunkEmail}}\n", ""),
        "{}\n",
        "other actions",
    ),
    "safety": (lambda text: text, "allow: {stable: []}\n", "safety.yml allows the rule at most"),
}


def authority_while_held(rules: RuleSet) -> Authority:
    """What a held case rests on that moves its messages meanwhile."""
    plan = planned(rules)
    assert plan.while_held == MOVE
    asked = authority_of(plan)
    return asked.model_copy(update={"mode": Mode.ENFORCE, "while_held": True})


@pytest.mark.parametrize("name", WITHDRAWALS)
def test_a_held_case_needs_what_an_enforcing_rule_needs(name: str, tmp_path: Path) -> None:
    """Everything but the mode of the rule itself, which asks people about the response."""
    change, safety, reason = WITHDRAWALS[name]
    authority = authority_while_held(loaded(tmp_path / "before", ASKING))
    now = loaded(tmp_path / "after", change(ASKING), safety=safety)
    objection = LiveActCheck(lambda: now, Mode.ENFORCE).find_objection(authority, MOVE)
    assert (objection is None) is not bool(reason)
    assert objection is None or reason in objection.reason


@pytest.mark.parametrize("ceiling", [Mode.APPROVE, Mode.SHADOW])
def test_a_lower_ceiling_ends_what_held_cases_do(ceiling: Mode, tmp_path: Path) -> None:
    """Under `approve` nothing happens without approval, under `shadow` nothing at all."""
    rules = loaded(tmp_path / "rules", ASKING)
    objection = LiveActCheck(lambda: rules, ceiling).find_objection(
        authority_while_held(rules), MOVE
    )
    assert objection is not None
    assert objection.reason == f"CLAWBACK_MODE is {ceiling} now"


def test_the_cases_of_a_demoted_rule_do_nothing_while_held(tmp_path: Path) -> None:
    """Somebody undid its work, so nothing of it happens without a person."""
    rules = loaded(tmp_path / "rules", ASKING)
    check = LiveActCheck(lambda: rules, Mode.ENFORCE, demoted=lambda: ["a_rule"])
    objection = check.find_objection(authority_while_held(rules), MOVE)
    assert objection is not None
    assert "was undone" in objection.reason


@pytest.mark.parametrize("ceiling", list(Mode))
def test_only_under_enforce_does_a_plan_say_what_to_do_while_held(
    ceiling: Mode, tmp_path: Path
) -> None:
    """A worker that may not act alone opens cases that only wait."""
    rules = loaded(tmp_path / "rules", ASKING)
    plan = cap_plan(planned(rules), rules.safety, ceiling)
    assert (plan.while_held is not None) is (ceiling is Mode.ENFORCE)


def test_a_plan_of_a_rule_that_may_only_ask_does_nothing_while_held(tmp_path: Path) -> None:
    """Neither with status test, nor where safety.yml allows no more."""
    testing = loaded(tmp_path / "testing", ASKING.replace("stable", "test"))
    assert planned(testing).while_held is None
    narrow = loaded(tmp_path / "narrow", ASKING, safety="allow: {stable: []}\n")
    assert cap_plan(planned(narrow), narrow.safety, Mode.ENFORCE).while_held is None
