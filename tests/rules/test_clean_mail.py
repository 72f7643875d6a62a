"""Which rules may match clean mail; without any, pollers read detections only."""

from itertools import permutations
from pathlib import Path

import pytest

from clawback.model.events import EventKind
from clawback.rules.engine.compiler import compile_node
from clawback.rules.engine.ruleset import Rule
from clawback.rules.engine.sample_events import build_test_event
from clawback.rules.lint.clean_mail import may_match_clean_mail, rules_on_clean_mail
from clawback.rules.source.field_catalogue import DISPOSITIONS
from tests.rules.folders import PLAIN, TODAY, block, load

CLEAN = ("ENCRYPTED", "EXTERNAL", "UNKNOWN", "NONE")


def rule_of(folder: Path, detection: str) -> Rule:
    """Load a building block with these lines of a detection."""
    return load(folder, {"a_block.yml": block(detection)}).rules["a_block"]


@pytest.mark.parametrize(
    "detection",
    [
        "s: {final_disposition: MALICIOUS}\ncondition: s",
        "s: {final_disposition: [spam, BULK]}\ncondition: s",
        "s: {final_disposition|startswith: MALICIOUS}\ncondition: s",
        "s: {from: a@x.test}\nb: {final_disposition: SPOOF}\ncondition: s and b",
    ],
)
def test_a_verdict_that_is_a_detection_is_a_proof(tmp_path: Path, detection: str) -> None:
    """Such a rule cannot match clean mail."""
    assert not may_match_clean_mail(rule_of(tmp_path, detection))


@pytest.mark.parametrize(
    "detection",
    [
        "s: {final_disposition: [SPAM, NONE]}\ncondition: s",
        "s: {final_disposition: EXTERNAL}\ncondition: s",
        "s: {final_disposition|contains: M}\ncondition: s",
        "s: {from: a@x.test}\ncondition: s",
        "s: {from: a@x.test}\nb: {final_disposition: SPOOF}\ncondition: s or b",
        "s: {final_disposition: NONE}\ncondition: not s",
    ],
)
def test_without_a_proof_clean_mail_is_read(tmp_path: Path, detection: str) -> None:
    """Such a rule may match clean mail."""
    assert may_match_clean_mail(rule_of(tmp_path, detection))


def test_no_rule_with_a_proof_matches_clean_mail(tmp_path: Path) -> None:
    """Every pair of verdicts, against every verdict that is not a detection, and none."""
    proved = 0
    for one, other in permutations(DISPOSITIONS, 2):
        lines = f"s: {{final_disposition: [{one}, {other}]}}\nt: {{final_disposition: {one}}}\n"
        rule = rule_of(tmp_path, f"{lines}condition: s and not t")
        if rule.tree is None or may_match_clean_mail(rule):
            continue
        proved += 1
        matches = compile_node(rule.tree, lambda: TODAY)
        for record in ({}, *({"final_disposition": verdict} for verdict in CLEAN)):
            assert not matches(build_test_event(EventKind.MESSAGE, record, 1).record)
    assert proved >= 6 * 9


def test_only_rules_that_respond_count(tmp_path: Path) -> None:
    """A building block that nothing uses does not make pollers read clean mail."""
    files = {"a_rule.yml": PLAIN, "a_block.yml": block("s: {subject: x}\ncondition: s")}
    assert rules_on_clean_mail(load(tmp_path, files)) == ("a_rule",)
