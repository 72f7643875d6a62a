"""The rules that are shipped.

Their own tests, what they touch of the corpus, and that no two of them pull at the same message.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawback.actions import Move
from clawback.cases.plan import CasePlan
from clawback.correlation.sliding_window import WindowEntry, find_window
from clawback.model.events import Event, message_event
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules import RuleSet
from clawback.rules.tools.testing import run_tests
from tests.shipped import shipped_rules

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus" / "phishing_pot.jsonl.gz"


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    """The shipped set."""
    return shipped_rules()


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """All messages of the corpus, without what `/detections` would say."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not here")
    return list(_read(CORPUS))


def _read(path: Path) -> Iterator[Event]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield message_event(json.loads(line)["message"], datetime(2026, 11, 22, tzinfo=UTC))


def test_every_test_in_the_files_passes(rules: RuleSet) -> None:
    """What the rules say of themselves is true."""
    results = run_tests(rules)

    assert results
    assert [result for result in results if not result.passed] == []


def test_every_responding_rule_is_documented(rules: RuleSet) -> None:
    """A rule with a response has a description, false positives, references and tags."""
    for rule in rules.rules.values():
        if rule.response is not None:
            assert rule.description, rule.name
            assert rule.falsepositives, rule.name
            assert rule.references, rule.name
            assert any(tag.startswith("attack.t") for tag in rule.tags), rule.name


def test_experimental_rules_only_shadow(rules: RuleSet) -> None:
    """Nobody is surprised by a rule that is still in shadow."""
    assert rules.rules["junk_spoof_campaign"].mode is Mode.SHADOW
    assert {rule.name for rule in rules.rules.values() if rule.mode is Mode.ENFORCE} == {
        "quarantine_bec",
        "quarantine_credential_phishing",
        "quarantine_confirmed_report",
        "block_repeat_sender",
    }


def test_the_corpus_matches_as_counted_by_hand(rules: RuleSet, events: list[Event]) -> None:
    """107 BEC messages, 1,042 that harvest credentials; 142 malicious ones passed DMARC.

    None of them waits for enrichment.
    """
    counts: dict[str, int] = defaultdict(int)
    for event in events:
        evaluation = rules.evaluate(event)
        assert not evaluation.undecided or not str(event.record["final_disposition"]).startswith(
            "MALICIOUS"
        )
        for match in evaluation.matches:
            counts[match.rule] += 1

    assert counts["quarantine_bec"] == 107
    assert counts["malicious_authenticated"] == 142
    assert counts["quarantine_credential_phishing"] == 1042


def test_repeating_senders_are_those_of_three_campaigns_in_a_day(
    rules: RuleSet, events: list[Event]
) -> None:
    """The windows of the repeat-sender rule fire for exactly the senders that brute force finds.

    As if each message had passed DMARC.
    """
    proven = [
        message_event({**event.record, "validation": {"dmarc": "pass"}}, event.at)
        for event in events
    ]
    sent: dict[str | None, list[tuple[datetime, str]]] = defaultdict(list)
    for event in proven:
        if str(event.record["final_disposition"]).startswith("MALICIOUS"):
            sender = (event.record["from"] or "").strip().lower() or None
            sent[sender].append((event.at, event.record["edf_hash"]))

    expected = {
        sender
        for sender, mails in sent.items()
        if any(
            len({body for at, body in mails if 0 <= (at - first).total_seconds() <= 86400}) >= 3
            for first, _ in mails
        )
    }
    assert _repeat_senders(rules, proven) == expected
    assert len(expected) == 8


def test_no_sender_of_the_corpus_is_blocked_for_forgeries(
    rules: RuleSet, events: list[Event]
) -> None:
    """None of them passed DMARC: banks and shops in whose name others write."""
    assert not _repeat_senders(rules, events)


def _repeat_senders(rules: RuleSet, events: list[Event]) -> set[str | None]:
    """Give the senders that the repeat-sender rule would block."""
    cases: dict[str, tuple[CasePlan, list[WindowEntry]]] = {}
    for event in events:
        for match in rules.evaluate(event).matches:
            if match.plan.rule == "block_repeat_sender":
                cases.setdefault(match.plan.case_id, (match.plan, []))[1].append(
                    WindowEntry(key=event.key, at=event.at, values=match.values)
                )

    return {
        plan.group["from_mailbox"]
        for plan, seen in cases.values()
        if plan.correlation is not None and find_window(plan.correlation, seen) is not None
    }


def test_no_message_is_moved_to_two_places(rules: RuleSet, events: list[Event]) -> None:
    """Rules that match the same message agree on where it goes."""
    for event in events:
        places: set[Destination] = {
            action.destination
            for match in rules.evaluate(event).matches
            for action in match.plan.actions
            if isinstance(action, Move)
        }
        assert len(places) <= 1, event.id
