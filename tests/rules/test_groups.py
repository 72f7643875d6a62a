"""What an event without a value in a field of its group counts for."""

from pathlib import Path
from typing import Any

import pytest

from clawback.model.events import EventKind, build_event
from clawback.model.mode import Mode
from clawback.rules.tools.dry_run import DryRunContext, dry_run
from clawback.rules.tools.testing import run_tests
from tests.rules.folders import LOGSOURCE, NOW, PLAIN, load, message
from tests.rules.test_design import REPEAT

SPAM = f"""title: Spam
name: spam
{LOGSOURCE}detection: {{sel: {{final_disposition: SPAM}}, condition: sel}}
---
"""
RESPONSE = """id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c14
status: experimental
response: {mode: shadow, actions: [{move: {destination: JunkEmail}}]}
"""
PAIR = f"""{SPAM}title: Pair
name: pair
correlation:
  {{type: event_count, rules: [spam], group-by: [from, edf_hash], timespan: 6h,
   condition: {{gte: 3}}}}
{RESPONSE}tests:
  - name: three without a hash
    events:
      - {{at: 0h, from: a@x.test, final_disposition: SPAM}}
      - {{at: 1h, from: a@x.test, final_disposition: SPAM, edf_hash: ''}}
      - {{at: 2h, from: a@x.test, final_disposition: SPAM, edf_hash: null}}
    expect: {{fires: 0}}
  - name: three of one hash
    events:
      - {{at: 0h, from: a@x.test, final_disposition: SPAM, edf_hash: x}}
      - {{at: 1h, from: a@x.test, final_disposition: SPAM, edf_hash: x}}
      - {{at: 2h, from: a@x.test, final_disposition: SPAM, edf_hash: x}}
    expect: {{fires: 1, group: {{from: a@x.test, edf_hash: x}}}}
"""
NESTED = f"""{SPAM}title: Burst
name: burst
correlation:
  {{type: event_count, rules: [spam], group-by: [from, edf_hash], timespan: 1h,
   condition: {{gte: 2}}}}
---
title: Nested
name: nested
correlation:
  type: value_count
  rules: [burst]
  group-by: [edf_hash]
  timespan: 6h
  condition: {{field: from, gte: 2}}
{RESPONSE}tests:
  - {{name: none, events: [{{at: 0h, final_disposition: SPAM}}], expect: {{fires: 0}}}}
  - name: two
    events:
      - {{at: 0h, from: a@x.test, final_disposition: SPAM, edf_hash: x}}
      - {{at: 0h, from: a@x.test, final_disposition: SPAM, edf_hash: x}}
      - {{at: 1h, from: b@x.test, final_disposition: SPAM, edf_hash: x}}
      - {{at: 1h, from: b@x.test, final_disposition: SPAM, edf_hash: x}}
    expect: {{fires: 1}}
"""
SUBMITTED = PLAIN.replace("category: message", "category: submission").replace("from:", "type:")
SUBMITTED = SUBMITTED.replace("a@x.test", "User").replace("b@x.test", "Team")


@pytest.mark.parametrize(
    "sender",
    [{}, {"from": None}, {"from": ""}, {"from": "  "}, {"from": []}],
    ids=["missing", "null", "empty", "blank", "empty list"],
)
def test_an_event_without_the_group_field_counts_for_no_group(
    tmp_path: Path, sender: dict[str, Any]
) -> None:
    """A correlation by sender does not count mail that has none."""
    rules = load(tmp_path, {"block_repeat_sender.yml": REPEAT})

    event = message(id="one", final_disposition="MALICIOUS", **sender)

    assert rules.evaluate(event).matches == ()
    assert rules.missing_group_fields("block_repeat_sender", event) == ("from",)


def test_an_event_with_a_part_of_the_group_counts_for_no_group(tmp_path: Path) -> None:
    """Of two fields that a correlation groups by, both must have a value."""
    rules = load(tmp_path, {"pair.yml": PAIR})

    part = message(final_disposition="SPAM", from_="a@x.test")
    whole = message(final_disposition="SPAM", from_="a@x.test", edf_hash="ab")

    assert rules.evaluate(part).matches == ()
    (match,) = rules.evaluate(whole).matches
    assert match.plan.group == {"from": "a@x.test", "edf_hash": "ab"}


def test_an_event_without_an_inner_group_counts_for_no_group(tmp_path: Path) -> None:
    """A correlation of correlations does not count what the inner one cannot group."""
    rules = load(tmp_path, {"nested.yml": NESTED})

    part = message(final_disposition="SPAM", edf_hash="ab")
    whole = message(final_disposition="SPAM", edf_hash="ab", from_="a@x.test")

    assert rules.evaluate(part).matches == ()
    assert len(rules.evaluate(whole).matches) == 1


def test_the_sequence_of_unrelated_mail_fires_never(tmp_path: Path) -> None:
    """Three mails without a body hash are not one campaign, three with the same hash are."""
    (result, other) = run_tests(load(tmp_path, {"pair.yml": PAIR}), ["pair"])
    assert (result.found, other.passed) == ("fires 0", True)


def test_explain_says_which_field_is_missing(tmp_path: Path) -> None:
    """The dry run of an event that no group counts names the field without a value."""
    rules = load(tmp_path, {"pair.yml": PAIR})
    event = message(final_disposition="SPAM", from_="a@x.test")
    context = DryRunContext(ceiling=Mode.ENFORCE, age_limit=None, now=NOW)

    (result,), cases = dry_run(rules, "pair", [event], context)

    assert cases == ()
    assert [(one.code, one.text) for one in result.reasons] == [
        ("no_group", "the correlation does not count it: edf_hash has no value")
    ]


def test_a_case_of_its_own_keeps_the_values_there_are(tmp_path: Path) -> None:
    """An event with a part of its group is a case of its own, whose templates it fills."""
    rule = PLAIN.replace("  mode:", "  group-by: [from, edf_hash]\n  mode:")
    rules = load(tmp_path, {"a_rule.yml": rule})

    plans = [
        rules.evaluate(message(id=name, from_="a@x.test")).matches[0].plan
        for name in ("one", "two")
    ]

    assert plans[0].group == {"from": "a@x.test", "edf_hash": None, "event": "message/one"}
    assert plans[0].case_id != plans[1].case_id


def test_a_case_of_its_own_is_found_again(tmp_path: Path) -> None:
    """A submission that was reviewed belongs to the case of the same submission before."""
    rules = load(tmp_path, {"a_rule.yml": SUBMITTED})
    record = {"submission_id": "s", "type": "User"}

    before, after = (
        build_event(EventKind.SUBMISSION, {**record, "status": status}, NOW)
        for status in ("new", "reviewed")
    )

    assert before.key != after.key
    plans = [rules.evaluate(event).matches[0].plan for event in (before, after)]
    assert plans[0].case_id == plans[1].case_id
