"""The safety document apart from the rules, and what it allows which rule."""

from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from clawback.actions import Move
from clawback.cases.authority import Authority
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules import RuleErrors, load_rules
from clawback.rules.act_check import LiveActCheck
from clawback.rules.eligibility import cap_plan
from clawback.rules.lint.review import review_rules
from clawback.rules.live import LiveRules
from clawback.rules.loader import load_reviewed, read_folder
from clawback.rules.source.documents import Status
from clawback.rules.source.safety import Allow
from tests.rules.folders import PLAIN, message, write

PURGING = PLAIN.replace("JunkEmail", "RecoverableItemsPurges")


def split(folder: Path, safety: str, rule: str = PLAIN) -> tuple[Path, Path]:
    """Write a folder of rules without a safety document, and one outside of it."""
    rules = write(folder / "rules", {"a_rule.yml": rule})
    (rules / "safety.yml").unlink()
    outside = folder / "safety" / "limits.yml"
    outside.parent.mkdir()
    outside.write_text(safety)
    return rules, outside


def test_the_document_may_be_outside(tmp_path: Path) -> None:
    """Its limits hold as if it were in the folder, and the version covers them."""
    rules, outside = split(tmp_path, "never_block: {addresses: [a@x.test]}\n")
    loaded = load_rules(rules, outside)
    assert loaded.safety.never_block.addresses == ("a@x.test",)
    outside.write_text("{}\n")
    assert load_rules(rules, outside).version != loaded.version


def test_there_are_never_two(tmp_path: Path) -> None:
    """One in the folder would be taken for the one that holds."""
    rules, outside = split(tmp_path, "{}\n")
    (rules / "safety.yml").write_text("hard_delete: true\n")
    with pytest.raises(RuleErrors, match=r"safety\.yml:1:1: safety: there are two: .*limits\.yml"):
        load_rules(rules, outside)


def test_a_missing_one_outside_names_the_setting(tmp_path: Path) -> None:
    """It never loads as a set without protection."""
    rules, outside = split(tmp_path, "{}\n")
    outside.unlink()
    with pytest.raises(RuleErrors, match=r"limits\.yml:1:1: .* missing; correct CLAWBACK_SAFETY"):
        load_rules(rules, outside)


def test_problems_outside_name_the_file(tmp_path: Path) -> None:
    """The place is the path of the file, not one in the folder of rules."""
    rules, outside = split(tmp_path, "hard_delete: perhaps\n")
    with pytest.raises(RuleErrors) as failed:
        load_rules(rules, outside)
    assert failed.value.problems[0].place == (str(outside), 1, 14)


async def test_a_change_outside_is_noticed(tmp_path: Path) -> None:
    """The document is watched as the rules are."""
    rules, outside = split(tmp_path, "{}\n")
    live = LiveRules.load(rules, safety=outside)
    outside.write_text("maximum_age: 1h\n")
    reload = await live.reload_if_changed()
    assert reload is not None
    assert reload.new == live.current.version


@pytest.mark.parametrize("is_outside", [True, False])
async def test_broken_rules_do_not_keep_an_old_document_in_force(
    tmp_path: Path, *, is_outside: bool
) -> None:
    """Whoever writes rules cannot delay what the owners of the document tighten."""
    rules, outside = split(tmp_path, "hard_delete: true\n", PURGING)
    safety = outside if is_outside else outside.rename(rules / "safety.yml")
    live = LiveRules.load(rules, safety=outside if is_outside else None)
    before = live.current
    purge = Move(destination=Destination.PURGES)
    authority = Authority(
        rule="a_rule",
        mode=Mode.ENFORCE,
        actions_version=before.rules["a_rule"].actions_version,
    )
    check = LiveActCheck(lambda: live.current, Mode.ENFORCE)
    assert check.find_objection(authority, purge) is None

    (rules / "broken.yml").write_text("title: [\n")
    safety.write_text("never_block: {addresses: [a@x.test]}\n")
    reload = await live.reload_if_changed()
    assert reload is not None
    assert reload.new is None
    assert reload.has_new_safety
    assert set(live.current.rules) == set(before.rules)
    assert live.current.safety.never_block.addresses == ("a@x.test",)
    assert reload.old == live.current.version != before.version
    objection = check.find_objection(authority, purge)
    assert objection is not None
    assert objection.outcome == "failed:hard_delete"


async def test_a_broken_document_changes_nothing(tmp_path: Path) -> None:
    """The one that was read last stays."""
    rules, outside = split(tmp_path, "maximum_age: 1h\n")
    live = LiveRules.load(rules, safety=outside)
    before = live.current
    outside.write_text("maximum_age: [\n")
    reload = await live.reload_if_changed()
    assert reload is not None
    assert not reload.has_new_safety
    assert live.current is before


async def test_a_config_map_is_followed(tmp_path: Path) -> None:
    """Kubernetes mounts the file as a link to `..data`, and replaces that link on a change."""
    rules, outside = split(tmp_path, "{}\n")
    outside.unlink()
    for number in ("1", "2"):
        (outside.parent / f"..{number}").mkdir()
    (outside.parent / "..1" / outside.name).write_text("maximum_age: 1h\n")
    (outside.parent / "..2" / outside.name).write_text("maximum_age: 2h\n")
    (outside.parent / "..data").symlink_to("..1")
    outside.symlink_to(f"..data/{outside.name}")

    live = LiveRules.load(rules, safety=outside)
    assert live.current.safety.maximum_age == timedelta(hours=1)
    (outside.parent / "..data").unlink()
    (outside.parent / "..data").symlink_to("..2")
    assert await live.reload_if_changed() is not None
    assert live.current.safety.maximum_age == timedelta(hours=2)


# ---- what is allowed

LISTS: tuple[tuple[str, ...], ...] = ((), ("a_rule",), ("b_*",), ("b_*", "a_?ule"), ("*",))


@pytest.mark.parametrize(("stable", "test"), list(product(LISTS, LISTS)))
def test_the_strongest_mode_of_a_rule(stable: tuple[str, ...], test: tuple[str, ...]) -> None:
    """It is the strongest one of a status that lists the rule; shadow is always allowed."""
    names = {(): False, ("b_*",): False}
    modes = [Mode.SHADOW]
    modes += [Mode.APPROVE] if names.get(test, True) else []
    modes += [Mode.ENFORCE] if names.get(stable, True) else []
    assert Allow(stable=stable, test=test).ceiling_of("a_rule") is modes[-1]


@pytest.mark.parametrize(
    ("allow", "mode"),
    [
        ("{}", Mode.ENFORCE),
        ("{stable: []}", Mode.APPROVE),
        ("{stable: [other], test: ['a_*']}", Mode.APPROVE),
        ("{stable: [], test: []}", Mode.SHADOW),
    ],
)
def test_a_status_that_is_not_allowed_weakens_the_rule(
    tmp_path: Path, allow: str, mode: Mode
) -> None:
    """It loads, so that it stops no other rule, and asks or records instead of acting."""
    rules, outside = split(tmp_path, f"allow: {allow}\n")
    loaded = load_reviewed(rules, safety=outside)
    (match,) = loaded.evaluate(message(from_="a@x.test")).matches
    assert cap_plan(match.plan, loaded.safety, Mode.ENFORCE).mode is mode
    assert loaded.mode_of(loaded.rules["a_rule"]) is mode
    assert len(loaded.weakened) == (mode is not Mode.ENFORCE)


@pytest.mark.parametrize("status", Status)
def test_a_check_refuses_a_status_that_is_not_allowed(tmp_path: Path, status: Status) -> None:
    """With its place and what to write, before the rule is merged."""
    rule = PLAIN.replace("status: stable", f"status: {status}")
    rule = rule.replace("mode: enforce", f"mode: {status.ceiling}")
    rules, outside = split(tmp_path, "allow: {stable: [other]}\n", rule)
    found = [str(problem) for problem in review_rules(read_folder(rules, outside))]
    if status is Status.STABLE:
        (line,) = found
        assert line == (
            "a_rule.yml:4:9: status-not-allowed: 'stable' safety.yml does not allow a_rule this "
            "status: it asks people first; lower the status, or have the owners of safety.yml add "
            "a_rule to allow.stable"
        )
    else:
        assert not found


def test_a_withdrawn_status_holds_open_cases(tmp_path: Path) -> None:
    """A case that opened while the rule was allowed to act asks people now."""
    rules, outside = split(tmp_path, "allow: {stable: []}\n")
    loaded = load_rules(rules, outside)
    authority = Authority(
        rule="a_rule", mode=Mode.ENFORCE, actions_version=loaded.rules["a_rule"].actions_version
    )
    check = LiveActCheck(lambda: loaded, Mode.ENFORCE)
    objection = check.find_objection(authority, Move(destination=Destination.JUNK))
    assert objection is not None
    assert objection.outcome is None
    assert objection.reason == "safety.yml allows the rule at most approve now"


@pytest.mark.parametrize(
    ("safety", "is_permitted"),
    [
        ("{}", False),
        ("{hard_delete: true}", True),
        ("{hard_delete: true, allow: {hard_delete: ['a_*']}}", True),
        ("{hard_delete: true, allow: {hard_delete: [b_rule]}}", False),
        ("{allow: {hard_delete: [a_rule]}}", False),
    ],
)
def test_which_rule_may_delete_for_good(tmp_path: Path, safety: str, *, is_permitted: bool) -> None:
    """The switch must be on, and the rule listed where there is a list."""
    rules, outside = split(tmp_path, f"{safety}\n", PURGING)
    codes = [problem.code for problem in read_folder(rules, outside).problems]
    assert codes == ([] if is_permitted else ["hard-delete"])
