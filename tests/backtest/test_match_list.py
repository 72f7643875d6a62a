"""The list of matches: complete, without what was reviewed, and clear about what is missing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.backtest import Backtest, summarize
from clawback.backtest.match_list import NotReviewed, read_reviewed, write_reviewed
from clawback.backtest.replay import Version
from clawback.backtest.simulated_cases import SimulatedCase, simulate_cases
from clawback.model.events import Event, EventKind, build_event
from clawback.rules import RuleSet
from tests.backtest.test_backtest import COUNTING, MOVING, START, event, replayed
from tests.rules.folders import load, responding

BLOCKING = {
    "a_rule.yml": responding(
        "sel: {from|exists: true}\ncondition: sel",
        response=(
            "response: {mode: enforce, group-by: [id], actions: [{release: {}},"
            " {move: {destination: JunkEmail}}, {reclassify: {disposition: SPAM}}]}"
        ),
    )
}


def malicious(number: int, **fields: Any) -> Event:
    """A message that the rule in `MOVING` matches, as many minutes after the start."""
    return event(number, number, final_disposition="MALICIOUS", **fields)


def test_a_match_is_listed_with_what_people_need(tmp_path: Path) -> None:
    """Time, sender, subject, mailbox, verdict and id of each match stand in the list."""
    one = malicious(1, client_recipients=["ana@corp.example"])
    (found,) = replayed(load(tmp_path, MOVING), events=[one, event(2)]).matches
    (listed,) = found.matches
    assert (listed.rule, listed.responded) == ("a_rule", True)
    match = listed.match
    assert (match.at, match.sender, match.subject) == (one.at, "a@x.test", "<b>pay</b>")
    assert (match.mailbox, match.verdict, match.id) == ("ana@corp.example", "MALICIOUS", "m1")


def test_the_list_is_complete_and_the_newest_is_first(tmp_path: Path) -> None:
    """Every event that matched is listed once, whatever case it belongs to."""
    events = [malicious(n * 7 % 60) for n in range(60)]
    (found,) = replayed(load(tmp_path, MOVING), events=[*events, *events]).matches
    assert [one.match.id for one in found.matches] == [f"m{n}" for n in reversed(range(60))]


def test_what_only_counted_is_marked(tmp_path: Path) -> None:
    """Matches below the threshold of a correlation are listed as such."""
    (found,) = replayed(load(tmp_path, COUNTING), events=[event(n, n) for n in range(2)]).matches
    assert [one.responded for one in found.matches] == [False, False]
    assert found.responded == []


def test_reviewed_matches_are_left_out(tmp_path: Path) -> None:
    """What was written to the file is not listed again, and what is new is."""
    rules = load(tmp_path, MOVING)
    (before,) = replayed(rules, events=[malicious(1)]).matches
    reviewed = read_reviewed(write_reviewed({}, before.matches))
    run = Backtest([rules])
    for one in (malicious(1), malicious(2)):
        run.take(one, {})
    (found,) = summarize(run, reviewed=reviewed).matches
    assert ([one.match.id for one in found.matches], found.reviewed) == (["m2"], 1)


def test_the_file_keeps_what_it_has(tmp_path: Path) -> None:
    """Accepting from one history does not forget what was accepted from another."""
    rules = load(tmp_path, MOVING)
    first, second = (replayed(rules, events=[malicious(n)]).matches[0] for n in (2, 1))
    reviewed = read_reviewed(write_reviewed({}, first.matches))
    lines = list(write_reviewed(reviewed, second.matches))
    assert [line.split('"')[7] for line in lines] == ["message/m1", "message/m2"]


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"rule": "a"}', '{"rule": [], "event": "a"}'])
def test_another_file_is_not_a_review(line: str) -> None:
    """A line that names no rule and event is refused with its number."""
    with pytest.raises(NotReviewed, match="line 2: "):
        read_reviewed(["\n", line])


def test_a_history_says_what_it_lacks(tmp_path: Path) -> None:
    """A rule on submissions was not asked if there are none; one that did not match was."""
    submissions = responding(
        "sel: {requested_disposition: SPAM}\ncondition: sel",
        name="name: b_rule",
        id="id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c12",
        logsource="logsource: {product: cloudflare, service: email_security, category: submission}",
    )
    linking = responding(
        "sel: {detections.links.href|contains: bad}\ncondition: sel",
        name="name: c_rule",
        id="id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c13",
    )
    files = MOVING | {"b_rule.yml": submissions, "c_rule.yml": linking}
    rules = load(tmp_path, files)

    def not_asked(*events: tuple[Event, dict[str, Any]]) -> dict[str, str]:
        run = Backtest([rules])
        for one, detections in events:
            run.take(one, detections)
        return {rule.rule: rule.not_asked for rule in summarize(run).rules}

    assert not_asked((event(1), {})) == {
        "a_rule": "",
        "b_rule": "no submissions",
        "c_rule": "no detections",
    }
    submission = {"submission_id": "s", "requested_at": START.isoformat()}
    asked = not_asked(
        (event(1), {"links": [{"href": "https://good.test"}]}),
        (build_event(EventKind.SUBMISSION, submission, START), {}),
    )
    assert set(asked.values()) == {""}


@pytest.fixture(scope="module")
def blocking(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """A rule whose actions depend on what became of a message."""
    return load(tmp_path_factory.mktemp("rules"), BLOCKING)


RECORDS = st.fixed_dictionaries(
    {
        "is_quarantined": st.sampled_from([True, False, None]),
        "post_delivery_operations": st.sampled_from([[], ["MOVE"], ["QUARANTINE_RELEASE"]]),
        "final_disposition": st.sampled_from(["SPAM", "NONE", None]),
        "message_id": st.sampled_from(["<a@x.test>", None]),
    }
)


@given(records=st.lists(RECORDS, max_size=8))
def test_alike_cases_act_alike(blocking: RuleSet, records: list[dict[str, Any]]) -> None:
    """A case that stands for another does what the other does when it is simulated itself."""
    events = [event(number, number, **record) for number, record in enumerate(records)]
    together = simulated(blocking, events)
    alone = [case for one in events for case in simulated(blocking, [one])]
    assert list(map(effects, together)) == list(map(effects, alone))


def simulated(rules: RuleSet, events: list[Event]) -> list[SimulatedCase]:
    """Simulate the cases of some events."""
    version = Version(rules)
    for one in events:
        version.keep(one, rules.evaluate(one))
    return list(simulate_cases(version))


def effects(case: SimulatedCase) -> tuple[Any, ...]:
    """What a case did, refused, and when."""
    return case.id, case.responds_at, list(case.done), case.refused
