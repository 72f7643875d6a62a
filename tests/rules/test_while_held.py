"""`while-held` of a rule: what it may be, and which budget it has."""

from datetime import timedelta
from pathlib import Path

import pytest

from clawback.actions import BudgetKind, Move
from clawback.model.messages import Destination
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.errors import Code, Severity
from tests.rules.folders import PLAIN, load, problems, write


def with_actions(actions: str, while_held: str) -> str:
    """Write the rule with other actions, and with `while-held`."""
    return PLAIN.replace(
        "    - move: {destination: JunkEmail}", f"{actions}\n  while-held: {while_held}"
    )


MOVE = "    - move: {destination: RecoverableItemsDeletions}"


@pytest.mark.parametrize("folder", [Destination.JUNK, Destination.DELETED])
def test_a_rule_says_where_mail_goes_while_a_case_is_held(
    tmp_path: Path, folder: Destination
) -> None:
    """In the shape of an action, to a folder in which its recipient finds it."""
    text = with_actions(MOVE, f"{{move: {{destination: {folder}}}}}")
    response = load(tmp_path, {"a_rule.yml": text}).rules["a_rule"].response
    assert response is not None
    assert response.while_held == Move(destination=folder)


REFUSED = {
    "inbox": (MOVE, "{move: {destination: Inbox}}", "may only move messages"),
    "recoverable": (MOVE, "{move: {destination: RecoverableItemsDeletions}}", "may only move"),
    "purges": (MOVE, "{move: {destination: RecoverableItemsPurges}}", "may only move"),
    "other action": (MOVE, "{release: {}}", "may only move messages"),
    "unknown action": (MOVE, "{junk: {}}", "is no action"),
    "two": (MOVE, "{move: {destination: JunkEmail}, release: {}}", "one key"),
    "parameters": (MOVE, "{move: {folder: JunkEmail}}", "destination"),
    "nothing withheld": (
        "    - reclassify: {disposition: MALICIOUS}",
        "{move: {destination: JunkEmail}}",
        "no action of this rule takes messages away",
    ),
    "given back": (
        "    - move: {destination: Inbox}",
        "{move: {destination: JunkEmail}}",
        "no action of this rule takes messages away",
    ),
    "search": (
        "    - bulk_move: {destination: JunkEmail, sender: a@x.test}",
        "{move: {destination: JunkEmail}}",
        "no action of this rule takes messages away",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    """A folder from which only an administrator restores, another action, or nothing to hold."""
    actions, while_held, reason = REFUSED[name]
    problem, *_ = problems(tmp_path, {"a_rule.yml": with_actions(actions, while_held)})
    assert reason in problem
    assert problem.startswith("a_rule.yml:13:")


def test_it_is_part_of_what_a_case_acts_under(tmp_path: Path) -> None:
    """Open cases notice that it was added, changed or removed."""
    texts = [
        PLAIN,
        with_actions("    - move: {destination: JunkEmail}", "{move: {destination: X}}"),
    ]
    texts += [texts[1].replace("X", folder) for folder in ("JunkEmail", "DeletedItems")]
    del texts[1]
    versions = {
        load(tmp_path / str(number), {"a_rule.yml": text}).rules["a_rule"].actions_version
        for number, text in enumerate(texts)
    }
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("status", "mode", "is_warned"),
    [("stable", "approve", False), ("test", "approve", True), ("test", "shadow", False)],
)
def test_a_rule_that_may_not_act_alone_is_warned_about(
    tmp_path: Path, status: str, mode: str, *, is_warned: bool
) -> None:
    """Its cases would only wait, unless it records only so far."""
    text = with_actions(MOVE, "{move: {destination: JunkEmail}}")
    text = text.replace("stable", status).replace("enforce", mode)
    found = review_rules(read_folder(write(tmp_path, {"a_rule.yml": text})))
    warned = [one for one in found if one.code is Code.WHILE_HELD]
    assert [one.severity for one in warned] == [Severity.WARNING] * is_warned


@pytest.mark.parametrize(
    ("safety", "limits"),
    [
        ("{}", [(2000, timedelta(hours=1)), (5000, timedelta(days=1))]),
        (
            "budgets: {overall: [{messages: 10, per: 1h}]}",
            [(2000, timedelta(hours=1)), (5000, timedelta(days=1))],
        ),
        ("budgets: {overall: [{held_messages: 7, per: 1d}]}", [(7, timedelta(days=1))]),
    ],
    ids=["default", "other budgets", "its own"],
)
def test_what_held_cases_move_always_has_a_budget(
    tmp_path: Path, safety: str, limits: list[tuple[int, timedelta]]
) -> None:
    """Also where safety.yml lists other budgets only: nobody is asked about it."""
    budgets = load(tmp_path, {"safety.yml": f"{safety}\n"}).safety.budgets.budgets
    found = [one for one in budgets.overall if one.kind is BudgetKind.HELD_MESSAGES]
    assert [(one.most, one.per) for one in found] == limits
