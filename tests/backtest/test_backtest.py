"""Backtests: cases as production would open them, actions, differences, the page."""

import subprocess
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from clawback.backtest import Backtest, NoSuchVersion, Result, open_version, summarize
from clawback.backtest.html_report import write_page
from clawback.model.events import Event, message_event
from clawback.rules import RuleSet
from tests.rules.folders import LOGSOURCE, load, responding, write

START = datetime(2026, 1, 1, tzinfo=UTC)
MOVING = {"a_rule.yml": responding("sel: {final_disposition: MALICIOUS}\ncondition: sel")}
COUNTING = {
    "a_rule.yml": f"""title: A block
name: a_block
{LOGSOURCE}detection: {{sel: {{from|exists: true}}, condition: sel}}
---
title: Many
name: a_rule
status: stable
correlation:
  {{type: event_count, rules: [a_block], group-by: [from], timespan: 1h, condition: {{gte: 3}}}}
response:
  mode: enforce
  actions: [{{move: {{destination: JunkEmail}}}}, {{block_sender: {{pattern: "{{from}}"}}}}]
tests:
  - name: three
    events: [{{at: 0h, from: a@x.test}}, {{at: 1m, from: a@x.test}}, {{at: 2m, from: a@x.test}}]
    expect: {{fires: 1}}
  - {{name: one, events: [{{at: 0h, from: a@x.test}}], expect: {{fires: 0}}}}
"""
}
BURSTS = {
    "a_rule.yml": f"""title: A block
name: a_block
{LOGSOURCE}detection: {{sel: {{from|exists: true}}, condition: sel}}
---
title: Burst
name: burst
correlation:
  {{type: event_count, rules: [a_block], group-by: [from], timespan: 1h, condition: {{gte: 2}}}}
---
title: Bursts
name: a_rule
status: stable
correlation:
  {{type: event_count, rules: [burst], group-by: [from], timespan: 1d, condition: {{gte: 2}}}}
response: {{mode: enforce, actions: [{{move: {{destination: JunkEmail}}}}]}}
tests:
  - name: three
    events: [{{at: 0h, from: a@x.test}}, {{at: 1m, from: a@x.test}}, {{at: 2m, from: a@x.test}}]
    expect: {{fires: 1}}
  - {{name: one, events: [{{at: 0h, from: a@x.test}}], expect: {{fires: 0}}}}
"""
}


def event(number: int, minutes: int = 0, **fields: Any) -> Event:
    """A delivered message some minutes after the start."""
    at = START + timedelta(minutes=minutes)
    record = {
        "id": f"m{number}",
        "from": "a@x.test",
        "subject": "<b>pay</b>",
        "delivery_status": ["delivered"],
        "scanned_at": at.isoformat(),
    }
    return message_event(record | fields, START + timedelta(days=30))


def replayed(*versions: RuleSet, events: list[Event]) -> Result:
    """Give events to versions and sum up."""
    backtest = Backtest(versions)
    for one in events:
        backtest.take(one, {})
    return summarize(backtest)


def test_matches_of_one_campaign_are_one_case(tmp_path: Path) -> None:
    """One body is one case; handled messages are not moved; repeated records count once."""
    events = [
        event(number, number, final_disposition="MALICIOUS", edf_hash="aa") for number in range(5)
    ]
    events += [
        event(
            9, 9, final_disposition="MALICIOUS", edf_hash="aa", post_delivery_operations=["MOVE"]
        ),
        events[0],
        event(7, 1),
    ]
    result = replayed(load(tmp_path, MOVING), events=events)
    (rule,) = result.rules
    assert (rule.matches, rule.cases, rule.messages) == (6, 1, 5)
    assert (dict(rule.actions), dict(rule.refused)) == ({"move": 5}, {"already dealt with": 1})
    assert (result.traffic.events, result.traffic.repeated, result.moved, result.share) == (
        7,
        1,
        5,
        5 / 7,
    )


def test_a_quiet_half_hour_closes_a_case(tmp_path: Path) -> None:
    """What comes after the linger is another case of the same group."""
    events = [
        event(number, minutes, final_disposition="MALICIOUS", edf_hash="aa")
        for number, minutes in enumerate((0, 30, 61))
    ]
    (rule,) = replayed(load(tmp_path, MOVING), events=events).rules
    assert (rule.matches, rule.cases, rule.responses) == (3, 2, 2)


def test_a_correlation_responds_from_its_threshold_on(tmp_path: Path) -> None:
    """Below the threshold nothing is done.

    From it on all messages of the case are moved, and the sender is blocked once.
    """
    rules = load(tmp_path, COUNTING)
    below = replayed(
        rules, events=[event(number, minutes) for number, minutes in enumerate((0, 50, 110))]
    )
    assert (below.rules[0].watched, below.rules[0].matches, below.moved) == (3, 0, 0)
    above = replayed(
        rules,
        events=[event(number, minutes) for number, minutes in enumerate((0, 50, 55, 80, 300))],
    )
    (rule,) = above.rules
    assert (rule.watched, rule.matches, rule.cases, rule.responses) == (5, 4, 2, 1)
    assert dict(rule.actions) == {"move": 4, "block_sender": 1}


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in order", "reversed"])
def test_the_history_of_a_sender_is_what_came_before(tmp_path: Path, *, is_reversed: bool) -> None:
    """Only the first message of a sender has none, in whatever order the events are taken."""
    new = {"a_rule.yml": responding("sel: {history.messages: 0}\ncondition: sel")}
    events = [event(number, number) for number in range(3)]
    events += [event(number, 100 + number, **{"from": "b@x.test"}) for number in range(3, 5)]
    result = replayed(load(tmp_path, new), events=events[::-1] if is_reversed else events)
    (rule,) = result.rules
    assert (rule.matches, rule.messages) == (2, 2)
    assert (result.traffic.undecided, result.traffic.events) == (0, 5)


def test_a_correlation_of_correlations_responds(tmp_path: Path) -> None:
    """Two bursts open a case with the three events that made them."""
    (rule,) = replayed(load(tmp_path, BURSTS), events=[event(n, n) for n in range(3)]).rules
    assert (rule.matches, rule.responses, dict(rule.actions)) == (3, 1, {"move": 3})


def test_a_held_case_counts_as_approved(tmp_path: Path) -> None:
    """In approve mode, and where two people must agree, the report shows what would be done."""
    purge = "{move: {destination: RecoverableItemsPurges}}"
    rule_text = responding(
        "sel: {final_disposition: MALICIOUS}\ncondition: sel",
        response=f"response: {{mode: approve, actions: [{purge}]}}",
    )
    files = {"a_rule.yml": rule_text, "safety.yml": "hard_delete: true\n"}
    events = [event(1, final_disposition="MALICIOUS")]
    assert dict(replayed(load(tmp_path, files), events=events).rules[0].actions) == {"move": 1}


def test_what_the_guard_would_hold_is_counted(tmp_path: Path) -> None:
    """By rule and cause, in the order of time; what a window has forgotten is spent again."""
    safety = "budgets: {rule: [{messages: 5, per: 1h}], campaign: 3, overall: [], surge: 'off'}"
    rules = load(tmp_path, {**MOVING, "safety.yml": safety})
    bad = {"final_disposition": "MALICIOUS"}
    one = [event(number, number, edf_hash="aa", **bad) for number in range(4)]
    others = [event(number, number, edf_hash=str(number), **bad) for number in range(4, 8)]
    later = [event(number, 120 + number, edf_hash=str(number), **bad) for number in range(8, 11)]
    (rule,) = replayed(rules, events=[*later, *others, *one]).rules
    assert dict(rule.held) == {"campaign": 1, "rule_budget": 2}
    assert rule.messages == 11


def test_what_safety_forbids_is_refused(tmp_path: Path) -> None:
    """A sender on the never-block list is not blocked; the reason is counted."""
    block = "{block_sender: {pattern: a@x.test}}"
    rule_text = responding(
        "sel: {final_disposition: MALICIOUS}\ncondition: sel",
        response=f"response: {{mode: enforce, actions: [{block}]}}",
    )
    files = {"a_rule.yml": rule_text, "safety.yml": "never_block: {addresses: [a@x.test]}\n"}
    events = [event(1, final_disposition="MALICIOUS")]
    (rule,) = replayed(load(tmp_path, files), events=events).rules
    assert (dict(rule.actions), dict(rule.refused)) == ({}, {"never block": 1})


def test_a_search_is_not_guessed(tmp_path: Path) -> None:
    """Nobody knows what a search would have found, so `bulk_move` counts no messages."""
    search = "{bulk_move: {destination: JunkEmail, sender: a@x.test, since: 1d}}"
    rule_text = responding(
        "sel: {final_disposition: MALICIOUS}\ncondition: sel",
        response=f"response: {{mode: enforce, actions: [{search}]}}",
    )
    events = [event(1, final_disposition="MALICIOUS")]
    (rule,) = replayed(load(tmp_path, {"a_rule.yml": rule_text}), events=events).rules
    assert (rule.responses, dict(rule.actions), dict(rule.refused)) == (1, {}, {})


def test_new_and_lost_matches(tmp_path: Path) -> None:
    """Against another version each match is kept, new or lost."""
    changed = {"a_rule.yml": responding("sel: {final_disposition: SPAM}\ncondition: sel")}
    events = [
        event(1, final_disposition="MALICIOUS"),
        event(2, final_disposition="SPAM"),
        event(3, final_disposition="BULK"),
    ]
    result = replayed(
        load(tmp_path / "new", changed), load(tmp_path / "old", MOVING), events=events
    )
    (rule,) = result.rules
    assert (rule.matches, rule.before, rule.new, rule.lost) == (1, 1, 1, 1)
    assert ([one.event for one in result.new], [one.event for one in result.lost]) == (
        ["message/m2"],
        ["message/m1"],
    )


def test_without_detections_an_event_is_taken_only_at_the_end(tmp_path: Path) -> None:
    """It is undecided only if the detections it depends on could not be read."""
    rules = load(
        tmp_path,
        {"a_rule.yml": responding("sel: {detections.links.href|contains: bad}\ncondition: sel")},
    )
    backtest = Backtest([rules])
    assert not backtest.take(event(1), None, last=False)
    assert backtest.traffic.events == 0
    assert backtest.take(event(1), {"links": [{"href": "https://bad.test"}]})
    assert backtest.take(event(2), None)
    assert (summarize(backtest).matched, backtest.traffic.undecided) == (1, 1)


class Loads(HTMLParser):
    """Gathers every attribute and tag by which a page could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what loads."""
        self.found += [tag] if tag in {"link", "img", "iframe", "b-evil"} else []
        self.scripts += tag == "script"
        self.found += [name for name, _ in attrs if name in {"src", "href", "onload", "onerror"}]


def test_the_page_is_whole_and_harmless(tmp_path: Path) -> None:
    """The page loads nothing, escapes what came from mail, and has its plots and figures."""
    events = [
        event(number, number * 1441, final_disposition="MALICIOUS", edf_hash="aa")
        for number in range(9)
    ]
    page = write_page(replayed(load(tmp_path, MOVING), events=events))
    reader = Loads()
    reader.feed(page)
    assert reader.found == []
    assert reader.scripts == 1
    script = page[page.index("<script>") + len("<script>") : page.index("</script>")]
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{allowed}&#39;" in page.replace("'", "&#39;")
    assert "<b>pay</b>" not in page
    assert "&lt;b&gt;pay&lt;/b&gt;" in page
    assert page.count("<svg") == 3
    assert "2026-01-09: 1 move" in page


def test_a_long_list_is_cut_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the newest matches of each rule, and says that there are more."""
    monkeypatch.setattr("clawback.backtest.html_report._MAX_ROWS", 2)
    events = [event(number, number, final_disposition="MALICIOUS") for number in range(3)]
    page = write_page(replayed(load(tmp_path, MOVING), events=events))
    assert "Matches: 3, the newest 2 of each rule; --json has all" in page
    assert "<td>m2</td>" in page
    assert "<td>m0</td>" not in page


def test_another_version_is_a_folder_or_a_revision(tmp_path: Path) -> None:
    """A revision is unpacked as it was, whatever the work tree says now.

    What is neither is refused by name.
    """
    folder = write(tmp_path / "top" / "rules", MOVING)

    def git(*arguments: str) -> None:
        author = ["-c", "user.name=t", "-c", "user.email=t@x.test", "-c", "commit.gpgsign=false"]
        subprocess.run(
            ["git", "-C", str(folder.parent), *author, *arguments],  # noqa: S607 - git of this machine
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    (folder / "a_rule.yml").write_text("changed")
    with open_version("HEAD", folder) as before:
        assert (before / "a_rule.yml").read_text() == MOVING["a_rule.yml"]
    assert not before.exists()
    with open_version(str(folder), folder) as same:
        assert same == folder
    for name in ("nonsense", "--output=/tmp/x"):
        with pytest.raises(NoSuchVersion, match="no git revision"), open_version(name, folder):
            pass
    with (
        pytest.raises(NoSuchVersion, match="in no git repository"),
        open_version("HEAD", write(tmp_path / "bare", MOVING)),
    ):
        pass
