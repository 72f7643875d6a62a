"""A scaffolded rule loads, passes its own tests and tests the distinctive fields of its event."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clawback.model.events import Event, EventKind, build_event, message_event
from clawback.rules.tools.clues import NothingDistinctive, choose_clues
from clawback.rules.tools.scaffold import Draft, render_clue, scaffold, suggest_name
from clawback.rules.tools.testing import run_tests
from tests.rules.folders import NOW, TODAY, load, message

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "phishing_pot.jsonl.gz"
ID = UUID("6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11")


def made(*events: Event, number: int = 0) -> str:
    """The rule file made from events."""
    choice = choose_clues(events)
    return scaffold(events, choice, Draft(f"rule_{number}", UUID(int=number), TODAY))


def asked(*events: Event, shared: tuple[str, ...] = ()) -> list[str]:
    """What a rule made from events asks for."""
    return [render_clue(clue) for clue in choose_clues(events, shared).asked]


def test_verdict_and_domain_are_asked_for() -> None:
    """The verdict and the domain of the sender tell an event."""
    assert asked(message(final_disposition="SPAM", from_="a@X.test", subject="s")) == [
        "final_disposition: SPAM",
        'from|endswith: "@x.test"',
    ]


@pytest.mark.parametrize(
    "domain", ["gmail.com", "GMX.at", "yahoo.co.uk", "hotmail.fr", "t-online.de", "qq.com"]
)
def test_free_mail_is_asked_for_by_address(domain: str) -> None:
    """A domain that everybody shares tells nothing: the address and the subject do."""
    event = message(final_disposition="SPAM", from_=f"a@{domain}", subject="Pay now")
    address = f"a@{domain.lower()}"
    assert asked(event)[1:] == [f'from: "{address}"', 'subject|contains: "Pay now"']
    assert "the domain " in choose_clues([event]).left_out[0]


def test_a_listed_domain_is_free_mail() -> None:
    """What a folder lists as shared is asked for by address too."""
    event = message(final_disposition="SPAM", from_="a@mine.test")
    assert asked(event, shared=("mine.test",))[1] == 'from: "a@mine.test"'


def test_the_domain_of_the_recipient_is_not_asked_for() -> None:
    """Mail that pretends to come from inside makes no rule about all mail from inside."""
    event = message(
        final_disposition="SPOOF",
        from_="ceo@corp.test",
        client_recipients=["ana@Corp.test"],
        subject="Wire it",
    )
    assert asked(event)[1:] == ['from: "ceo@corp.test"', 'subject|contains: "Wire it"']


def test_a_verdict_alone_is_too_wide() -> None:
    """A rule on nothing but a verdict would match all mail that has it."""
    with pytest.raises(NothingDistinctive, match="a rule on the verdict alone"):
        made(message(final_disposition="SPAM"))


def test_several_events_are_asked_for_what_they_share(tmp_path: Path) -> None:
    """The domain, and the part of the subject that all have; each event is a test."""
    events = [
        message(
            from_=f"{name}@x.test",
            subject=f"Re: {name}, your parcel {number} is waiting",
            id=str(number),
        )
        for number, name in enumerate(("ana", "bob", "cid"), 7)
    ]
    assert asked(*events) == ['from|endswith: "@x.test"', 'subject|contains: "your parcel"']
    rules = load(tmp_path, {"rule_0.yml": made(*events)})
    assert [result.passed for result in run_tests(rules)] == [True] * 5


def test_senders_without_anything_in_common_leave_the_hash() -> None:
    """A campaign from many senders is told by its body."""
    events = [
        message(final_disposition="SPAM", from_=f"a@{n}.test", edf_hash="aa", id=n)
        for n in ("one", "two")
    ]
    assert asked(*events) == ["final_disposition: SPAM", 'edf_hash: "aa"']
    assert choose_clues(events).left_out[0] == "the sender: the events have several"


def test_several_addresses_of_free_mail_share_nothing() -> None:
    """Two people at one free mail provider are not a campaign."""
    events = [message(from_=f"{name}@gmail.com", id=name) for name in ("ana", "bob")]
    with pytest.raises(NothingDistinctive, match="no verdict, sender or subject"):
        made(*events)


@pytest.mark.parametrize("verdict", ["NONE", "UNKNOWN", "INVENTED", None, 7])
def test_without_a_verdict_the_subject_is_asked_for(verdict: object) -> None:
    """A verdict that says nothing, or that rules do not know, is left out."""
    event = message(
        final_disposition=verdict, from_="a@x.test", subject="Re: AW: Your 100% *free* C:\\prize?"
    )
    assert asked(event) == [
        'from|endswith: "@x.test"',
        r'subject|contains: "Your 100% \\*free\\* C:\\\\prize\\?"',
    ]


def test_an_event_with_nothing_to_ask_for_is_refused() -> None:
    """No rule is made that would match everything."""
    with pytest.raises(NothingDistinctive):
        made(message(final_disposition="NONE"))


EVENTS = {
    "message": message(final_disposition="MALICIOUS", from_="a@x.test"),
    "quarantined message": message(
        final_disposition="MALICIOUS", from_="a@x.test", is_quarantined=True
    ),
    "only a sender": message(from_="shein-survey-free"),
    "report": build_event(
        EventKind.PHISHGUARD_REPORT,
        {"id": 7, "disposition": "MALICIOUS", "fields": {"from": "a@x.test"}},
        NOW,
    ),
    "joined report": build_event(
        EventKind.PHISHGUARD_REPORT,
        {"id": 7, "disposition": "MALICIOUS", "message": {"id": "a", "from": "a@x.test"}},
        NOW,
    ),
    "submission": build_event(
        EventKind.SUBMISSION,
        {"submission_id": "a", "requested_disposition": "MALICIOUS", "subject": "Win: now"},
        NOW,
    ),
    "hidden letters": message(from_="\u200bno\u202e@x.test", subject="\U000e0041\ud800\x00\t"),
}


@pytest.mark.parametrize("case", EVENTS)
def test_it_loads_and_passes_its_tests(tmp_path: Path, case: str) -> None:
    """The rule of each kind of event has three tests, all of which pass, and only shadows."""
    rules = load(tmp_path, {"rule_0.yml": made(EVENTS[case])})
    results = run_tests(rules)
    assert [result.passed for result in results] == [True, True, True]
    assert rules.rules["rule_0"].mode == "shadow"


def test_what_is_offered_in_comments_loads_too(tmp_path: Path) -> None:
    """Each further line of the detection can be put to use by removing its mark."""
    detections = {"links": [{"href": "https://evil.test/a?b"}], "attachments": [{"name": "a.iso"}]}
    event = message(
        final_disposition="SPAM",
        from_="a@x.test",
        subject="s",
        validation={"dmarc": "fail"},
        detections=detections,
    )
    text = made(event)
    assert '# detections.links.href_domain: "evil.test"' in text
    assert '# detections.attachments.name|endswith: ".iso"' in text
    load(tmp_path, {"rule_0.yml": text.replace("    # ", "    ")})


TEXT = st.text(max_size=80)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        name: TEXT | st.none()
        for name in ("from", "subject", "from_name", "replyto", "final_disposition", "edf_hash")
    },
)


@given(RECORDS)
@example({"from": "Y"})
@example({"subject": "null"})
@example({"subject": "ª"})
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_breaks_it(tmp_path: Path, record: dict[str, Any]) -> None:
    """The rule made from any event loads and passes its tests, and its name is valid."""
    event = message(**record)
    try:
        choice = choose_clues([event])
    except NothingDistinctive:
        return
    name = suggest_name([event], choice)
    text = scaffold([event], choice, Draft(name, ID, TODAY))
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    results = run_tests(load(folder, {f"{name}.yml": text}))
    assert [result.passed for result in results] == [True, True, True], text


def test_real_mail_makes_good_rules(tmp_path: Path) -> None:
    """Every eightieth message of the corpus makes a rule; together they load and pass."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not here")
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for number, line in enumerate(lines) if number % 80 == 0]
    events = [
        message_event(one["message"], datetime.now(UTC)).with_detections(one["detections"])
        for one in read
    ]
    files = {
        f"rule_{number}.yml": made(event, number=number) for number, event in enumerate(events)
    }
    results = run_tests(load(tmp_path, files))
    assert len(results) == 3 * len(files) > 100
    assert [result for result in results if not result.passed] == []
