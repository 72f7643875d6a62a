"""The two rule files of the design page load exactly as printed there, and do what it says."""

from datetime import timedelta
from pathlib import Path

from clawback.actions import BlockSender, Move, Reclassify
from clawback.correlation.sliding_window import CorrelationType
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules.tools.testing import run_tests
from tests.rules.folders import load, message

BEC = """title: Quarantine delivered business email compromise
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11        # UUID, never reused
# unique; the file is named after the rule that responds
name: quarantine_bec
# experimental may only shadow, test may at most approve, stable may enforce
status: stable
description: A BEC verdict on a message that was delivered and is still in the mailbox.
author: Security Engineering
date: 2026-11-22
tags: [attack.t1566, attack.initial-access]
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  bec: {final_disposition: MALICIOUS-BEC}
  filter_handled: {is_quarantined: true}
  condition: bec and not 1 of filter_*
falsepositives: [A new payroll vendor before its domain is trusted]
level: critical
response:
  mode: enforce
  # a case per campaign; this is the default (an event without it is its own case)
  group-by: [edf_hash]
  actions:
    - move: {destination: RecoverableItemsDeletions}
    - reclassify: {disposition: MALICIOUS}
  limits: {messages: 500, per: 1h}               # over it the case is held
tests:
  - {name: BEC in the inbox, event: {final_disposition: MALICIOUS-BEC}, expect: match}
  - name: already quarantined
    event: {final_disposition: MALICIOUS-BEC, is_quarantined: true}
    expect: no match
"""

REPEAT = """title: Malicious message delivered
name: malicious_delivered                        # no response: a building block
logsource: {product: cloudflare, service: email_security, category: message}
detection: {malicious: {final_disposition|startswith: MALICIOUS}, condition: malicious}
---
title: Block senders who keep sending malicious mail
name: block_repeat_sender
status: stable
correlation:
  type: event_count
  rules: [malicious_delivered]
  group-by: [from]
  timespan: 24h
  condition: {gte: 3}
response:
  mode: enforce
  actions:
    - block_sender: {pattern: "{from}", kind: email, expires_after: 30d}
# times are relative; each event is a partial message
tests:
  - name: third in a day
    events:
      - {at: 0h, from: a@x.test, final_disposition: MALICIOUS}
      - {at: 5h, from: a@x.test, final_disposition: MALICIOUS-BEC}
      - {at: 23h, from: a@x.test, final_disposition: MALICIOUS}
    expect: {fires: 1, group: {from: a@x.test}}
  - name: spread over days
    events:
      - {at: 0h, from: a@x.test, final_disposition: MALICIOUS}
      - {at: 20h, from: a@x.test, final_disposition: MALICIOUS}
      - {at: 45h, from: a@x.test, final_disposition: MALICIOUS}
    expect: {fires: 0}
"""

FILES = {"bec/quarantine_bec.yml": BEC, "senders/block_repeat_sender.yml": REPEAT}


def test_a_plain_rule_gives_its_plan(tmp_path: Path) -> None:
    """The BEC rule gives one case per campaign with its actions and limits."""
    rules = load(tmp_path, FILES)

    matches = rules.evaluate(message(final_disposition="malicious-bec", edf_hash="ab")).matches

    plan = next(match.plan for match in matches if match.plan.rule == "quarantine_bec")
    assert plan.mode is Mode.ENFORCE
    assert plan.level == "critical"
    assert plan.group == {"edf_hash": "ab"}
    assert plan.correlation is None
    move, reclassify = plan.actions
    assert isinstance(move, Move)
    assert isinstance(reclassify, Reclassify)
    assert move.destination is Destination.RECOVERABLE
    assert (plan.limits[0].messages, plan.limits[0].per) == (500, timedelta(hours=1))


def test_a_correlation_gives_a_plan_that_watches(tmp_path: Path) -> None:
    """The repeat-sender rule plans a case per sender that waits for three events in a day."""
    rules = load(tmp_path, FILES)

    (match,) = rules.evaluate(message(final_disposition="MALICIOUS", from_=" A@X.test ")).matches

    assert match.rule == "malicious_delivered"
    assert match.plan.rule == "block_repeat_sender"
    assert match.plan.group == {"from": "a@x.test"}
    assert match.plan.correlation is not None
    assert match.plan.correlation.type is CorrelationType.EVENT_COUNT
    assert (match.plan.correlation.at_least, match.plan.correlation.timespan) == (
        3,
        timedelta(days=1),
    )
    assert match.plan.actions == (
        BlockSender(pattern="a@x.test", expires_after=timedelta(days=30)),
    )


def test_an_event_without_the_default_group_is_its_own_case(tmp_path: Path) -> None:
    """Two messages without a campaign hash do not share a case."""
    rules = load(tmp_path, FILES)
    one, other = (
        message(final_disposition="MALICIOUS-BEC"),
        message(id="two", final_disposition="MALICIOUS-BEC", edf_hash=""),
    )

    plans = [
        next(
            match.plan
            for match in rules.evaluate(event).matches
            if match.plan.rule == "quarantine_bec"
        )
        for event in (one, other)
    ]

    assert plans[0].case_id != plans[1].case_id
    assert plans[0].group == {"edf_hash": None, "event": "message/one"}


def test_plans_are_made_once_per_group(tmp_path: Path) -> None:
    """The plan of a group is the same object for every event of it."""
    rules = load(tmp_path, FILES)

    plans = [
        rules.evaluate(message(id=name, final_disposition="MALICIOUS", from_="a@x.test"))
        .matches[0]
        .plan
        for name in ("one", "two")
    ]

    assert plans[0] is plans[1]


def test_the_tests_in_the_files_pass(tmp_path: Path) -> None:
    """All four tests that the page shows pass."""
    results = run_tests(load(tmp_path, FILES))

    assert [result.passed for result in results] == [True] * 4


def test_a_failing_test_says_what_was_found(tmp_path: Path) -> None:
    """A failing test reports what was found, and explains the condition for each event."""
    wrong = REPEAT.replace("45h", "23h")

    failed = [
        result
        for result in run_tests(load(tmp_path, {"block_repeat_sender.yml": wrong}))
        if not result.passed
    ]

    (result,) = failed
    assert (result.name, result.expected, result.found) == (
        "spread over days",
        "fires 0",
        "fires 1 for {'from': 'a@x.test'}",
    )
    assert [explanation.outcome for explanation in result.why] == [True, True, True]
    assert result.line == 27
