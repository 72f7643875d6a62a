"""The shipped rules: themes, metadata, tests, matches on clean mail and enrichment requests."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from clawback.actions import Move
from clawback.cases.plan import CasePlan
from clawback.model.events import Event, message_event
from clawback.model.level import Level
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules import RuleSet
from clawback.rules.engine.ruleset import Rule
from clawback.rules.source.documents import EventTest, Status
from clawback.rules.tools.coverage import measure_coverage
from clawback.simulator import demo_corpus
from clawback.simulator.demo import COMPANY
from tests.shipped import shipped_rules

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "rules"
CORPUS = ROOT.parent / "shared" / "corpus" / "phishing_pot.jsonl.gz"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
HEADER = "# yaml-language-server: $schema="
RULES = shipped_rules()
RESPONDING = [rule for rule in RULES.rules.values() if rule.response is not None]
MOST_ASKED = 0.2
"""The share of suspect mail for which /detections may be fetched.

A page of 100 may cost 20 requests more, not 100.
"""


def test_the_shipped_rules_cover_every_theme() -> None:
    """There are enough rules to start with, from every theme that teams ask for first."""
    themes = {rule.path.partition("/")[0] for rule in RESPONDING}

    assert len(RESPONDING) >= 15
    assert themes >= {
        "attachments",
        "authentication",
        "bec",
        "campaigns",
        "credentials",
        "impersonation",
        "links",
    }
    assert themes >= {"reported", "senders", "submissions", "threads"}


@pytest.mark.parametrize("rule", RESPONDING, ids=lambda rule: rule.name)
def test_a_rule_has_complete_metadata(rule: Rule) -> None:
    """Every rule has a description, author, false positives, references and ATT&CK tags."""
    assert rule.description
    assert rule.author
    assert rule.falsepositives
    assert all(reference.startswith("https://") for reference in rule.references)
    assert rule.references
    assert any(tag.startswith("attack.t1") for tag in rule.tags)
    assert any(tag.startswith("attack.") and not tag.startswith("attack.t1") for tag in rule.tags)
    assert rule.level is not Level.INFORMATIONAL


@pytest.mark.parametrize("rule", RESPONDING, ids=lambda rule: rule.name)
def test_a_rule_has_positive_and_negative_tests(rule: Rule) -> None:
    """At least one test fires and at least one does not."""
    fires = [
        test.expect == "match" if isinstance(test, EventTest) else test.expect.fires > 0
        for test in rule.tests
    ]

    assert any(fires)
    assert not all(fires)


def test_rules_on_trial_touch_nothing() -> None:
    """An experimental rule shadows, and most of the library is experimental."""
    experimental = [rule for rule in RESPONDING if rule.status is Status.EXPERIMENTAL]

    assert all(rule.mode is Mode.SHADOW for rule in experimental)
    assert len(experimental) > len(RESPONDING) * 2 / 3


def test_where_mail_goes_follows_from_its_verdict() -> None:
    """Weak evidence moves to junk, where people can look.

    Only rules that need a malicious verdict move out of sight.
    """
    for rule in RESPONDING:
        assert rule.response is not None
        for action in rule.response.actions:
            if isinstance(action, Move):
                expected = {
                    "junk": Destination.JUNK,
                    "quarantine": Destination.RECOVERABLE,
                    "restore": Destination.INBOX,
                }
                assert action.destination is expected[rule.name.partition("_")[0]], rule.name


def test_no_two_rules_pull_at_the_same_message() -> None:
    """Rules that act by themselves agree on where a message goes."""
    for event in _demo():
        places = {
            action.destination
            for match in _decided(RULES, *event)
            if match.mode is Mode.ENFORCE
            for action in match.actions
            if isinstance(action, Move)
        }
        assert len(places) <= 1, event[0].id


def test_clean_mail_is_left_alone() -> None:
    """Of a day of clean mail in the demo corpus no rule matches anything, in whatever mode."""
    clean = [
        (event, detections)
        for event, detections in _demo()
        if event.record["final_disposition"] == "NONE"
    ]

    assert len(clean) >= 8
    assert [
        (event.id, plan.rule)
        for event, detections in clean
        for plan in _decided(RULES, event, detections)
    ] == []


def test_bulk_mail_that_proves_its_sender_is_left_alone() -> None:
    """Newsletters of the demo corpus are nobody's business either."""
    bulk = [
        (event, detections)
        for event, detections in _demo()
        if event.record["final_disposition"] == "BULK"
    ]

    assert len(bulk) >= 4
    assert [
        (event.id, plan.rule)
        for event, detections in bulk
        for plan in _decided(RULES, event, detections)
    ] == []


def test_the_demo_is_of_the_company_on_the_lists() -> None:
    """The lists know the demo's company, so that its own mail is its own there too."""
    assert COMPANY in RULES.lists["own_domains"]


def test_enrichment_is_asked_for_sparingly() -> None:
    """On a corpus of suspicious mail, the list record leaves few messages undecided."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not here")
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        open_ones = [
            RULES.evaluate(message_event(json.loads(line)["message"], NOW)).undecided
            for line in lines
        ]

    assert 0 < sum(open_ones) <= MOST_ASKED * len(open_ones)


def test_every_answer_of_every_condition_is_tested() -> None:
    """Each selection, branch and exception of the shipped rules is tested true and false."""
    assert [gap for covered in measure_coverage(RULES) for gap in covered.gaps] == []


def test_every_file_is_ordinary_yaml() -> None:
    """Tools with a stricter parser than ours read the files too."""
    for path in FOLDER.rglob("*.yml"):
        assert list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)), path


def test_every_file_names_the_schema() -> None:
    """An editor completes a shipped rule without being told how.

    Its first line says where the schema is.
    """
    for rule in RULES.rules.values():
        path = FOLDER / rule.path
        first = path.read_text(encoding="utf-8").partition("\n")[0]

        assert first.startswith(HEADER), rule.path
        assert (path.parent / first.removeprefix(HEADER)).resolve() == FOLDER / "schema.json", (
            rule.path
        )


def test_the_readme_lists_every_rule() -> None:
    """rules/README.md has a row for each responding rule, with its status and mode."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")

    for rule in RESPONDING:
        row = next(
            (line for line in page.splitlines() if line.startswith(f"| `{rule.name}` |")), ""
        )
        assert row.endswith(f"| {rule.status} | {rule.mode} |"), rule.name


def _demo() -> list[tuple[Event, dict[str, object]]]:
    lines = [line for line in demo_corpus(end=NOW) if "message" in line]
    return [(message_event(line["message"], NOW), line.get("detections", {})) for line in lines]


def _decided(rules: RuleSet, event: Event, detections: dict[str, object]) -> list[CasePlan]:
    evaluation = rules.evaluate(event)
    if evaluation.undecided:
        evaluation = rules.evaluate(event.with_detections(detections))
    return [match.plan for match in evaluation.matches]
