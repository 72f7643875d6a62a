"""Operations, rules and the kill switch as pure views: what may be said, and what must not."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clawback.cases import CaseState
from clawback.cases.summary import DecisionNote
from clawback.console.sources.operations import OperationsReading
from clawback.console.sources.read_model import ListedCase
from clawback.console.sources.rule_outcomes import count_outcomes
from clawback.console.views.channels import build_channels
from clawback.console.views.operations import build_operations
from clawback.console.views.rule_source import highlight
from clawback.console.views.rule_versions import compare_versions
from clawback.console.views.stop import SwitchState, find_state
from clawback.guard import Stop
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.notifications.channel_file import parse_channels
from clawback.temporal.channel_health import ChannelHealth
from clawback.temporal.fan_out import Answers

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
ZONE = ZoneInfo("UTC")


def stopped(ago: timedelta) -> Stop:
    return Stop(by="ana", at=NOW - ago)


@pytest.mark.parametrize(
    ("is_stopped", "stop", "is_asked", "state"),
    [
        (False, None, False, SwitchState.RUNNING),
        (False, None, True, SwitchState.UNCONFIRMED),
        (None, None, False, SwitchState.UNKNOWN),
        (None, None, True, SwitchState.UNCONFIRMED),
        (True, stopped(timedelta(seconds=1)), True, SwitchState.STOPPING),
        (True, stopped(timedelta(seconds=4)), True, SwitchState.STOPPED),
        (True, None, False, SwitchState.STOPPED),
    ],
)
def test_stopped_is_said_only_of_a_confirmed_stop_whose_lease_is_over(
    is_stopped: bool | None,  # noqa: FBT001 - a value, not a switch
    stop: Stop | None,
    is_asked: bool,  # noqa: FBT001 - the same
    state: SwitchState,
) -> None:
    """Not knowing, and an order that nobody confirmed, are never called stopped."""
    assert find_state(is_stopped, stop, NOW, is_asked=is_asked) is state


def reading(**known: object) -> OperationsReading:
    fields: dict[str, object] = {
        "at": NOW,
        "pollers": None,
        "guard": None,
        "queues": None,
        "deployment": None,
        "failing": None,
        "channels": None,
        "worker": None,
        "worker_address": "http://127.0.0.1:9464",
        **known,
    }
    return OperationsReading(**fields)  # type: ignore[arg-type]


def test_what_does_not_answer_is_named() -> None:
    """An empty table must never look like health."""
    view = build_operations(reading(), ZONE, may_check=False)
    assert view.unread == ("pollers", "guard", "task queues", "versions", "notification channels")


@pytest.mark.parametrize(
    ("state", "lag", "problem"),
    [
        ("polling", timedelta(seconds=5), ""),
        ("polling", timedelta(minutes=20), "Polling of message is 20 min behind."),
        ("paused", timedelta(seconds=5), "Polling of message is paused: new mail is not read."),
    ],
)
def test_a_poller_that_lags_or_is_paused_is_a_problem(
    state: str, lag: timedelta, problem: str
) -> None:
    """Its row is red, and the page opens with a sentence."""
    status = PollerStatus(source=EventKind.MESSAGE, state=state, cursor=NOW - lag)
    pollers = Answers(given={EventKind.MESSAGE: status}, errors={})
    view = build_operations(reading(pollers=pollers), ZONE, may_check=False)
    assert list(view.problems) == ([problem] if problem else [])
    assert view.pollers[0].tone == ("danger-text" if problem else "good-text")


def test_a_channel_whose_last_delivery_failed_is_a_problem() -> None:
    """Its row is red; one that was never used is neither good nor bad."""
    early, late = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    channels = [
        ChannelHealth("bad", last_success=early, last_failure=late),
        ChannelHealth("good", last_success=late, last_failure=early),
        ChannelHealth("new"),
    ]
    view = build_operations(reading(channels=channels), ZONE, may_check=False)
    assert [row.state for row in view.channels] == ["fails", "delivers", "not used yet"]
    assert list(view.problems) == ["The last notification through bad was given up."]


def case(number: int, state: str, **fields: object) -> ListedCase:
    return ListedCase(
        id=f"case/r/{number:016x}",
        run="run",
        rule="r",
        state=state,
        mode="enforce",
        opened_at=NOW - timedelta(days=number),
        closed_at=None,
        messages=10,
        **fields,  # type: ignore[arg-type]
    )


def note(what: str) -> DecisionNote:
    return DecisionNote(what=what, by=("ana",), at=NOW)


def test_precision_counts_what_acted_or_was_denied() -> None:
    """Held and expired cases are no evidence; an undone one is against the rule."""
    cases = [
        case(0, CaseState.SETTLED, changed=10),
        case(1, CaseState.SETTLED, changed=10, decision=note("approved")),
        case(2, CaseState.DENIED, decision=note("denied")),
        case(3, CaseState.UNDONE, undone=note("undone"), decision=note("approved")),
        case(4, CaseState.EXPIRED),
        case(5, CaseState.HELD),
        case(31, CaseState.SETTLED, changed=10),
    ]
    found = count_outcomes(cases, NOW)["r"]
    assert (found.total.cases, found.total.messages) == (6, 60)
    assert (found.total.acted, found.total.denied, found.total.undone) == (2, 1, 1)
    assert (found.expired, found.held, found.cases_of_day) == (1, 1, 2)
    assert found.precision == pytest.approx(0.5)
    assert count_outcomes([case(5, CaseState.HELD)], NOW)["r"].precision is None


def test_highlighting_keeps_every_character() -> None:
    """The lines are those of the file, numbered from its place; what cannot be seen is marked."""
    lines = ("title: a  # b", "", "list:", "  - 'x: y'", "  - \u202e1")
    shown = highlight(lines, first=7)
    assert [line.number for line in shown] == ["7", "8", "9", "10", "11"]
    texts = ["".join(token.text for token in line.tokens) for line in shown]
    assert texts == [*lines[:4], "  - ⟨U+202E⟩1"]
    assert {token.kind for line in shown for token in line.tokens} >= {"tok-key", "tok-comment"}


def test_channels_show_what_they_are_for_and_no_address() -> None:
    """What is not known of deliveries is not called good."""
    channels = parse_channels(
        {
            "security": {
                "kind": "slack",
                "url": "https://hooks.slack.test/secret-path",
                "occasions": ["stopped", "rule_demoted"],
                "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"},
                "escalate_to": "phone",
                "escalate_after": "30m",
            },
            "phone": {"kind": "slack", "url": "https://hooks.slack.test/other"},
        }
    )
    health = [ChannelHealth("security", waiting=2, last_failure=NOW)]
    security, phone = build_channels(channels, health, NOW, ZONE).channels
    assert security.row is not None
    assert (security.row.state, security.row.waiting) == ("fails", "2")
    assert security.hears == "stopped, rule demoted"
    assert security.quiet.startswith("22:00 to 07:00 Europe/Berlin")
    assert security.escalates == "to phone if a held case is undecided for 30m"
    assert phone.row is None
    assert "secret-path" not in repr(build_channels(channels, health, NOW, ZONE))
    assert "does not say now" in build_channels(channels, None, NOW, ZONE).note
    assert "names no channel" in build_channels({}, [], NOW, ZONE).note


def test_versions_of_a_rule_are_compared_line_by_line() -> None:
    """Without the earlier source, or with the same document, the page says so."""
    earlier, source = ["a: 1", "b: 2", "c: 3"], ["a: 1", "b: \u202e4", "c: 3"]
    found = compare_versions("v1", earlier, "v2", source)
    changed = [(line.mark, line.text) for line in found.lines if line.kind]
    assert changed == [("-", "b: 2"), ("+", "b: ⟨U+202E⟩4")]
    assert "not known here" in compare_versions("v0", None, "v2", source).text
    assert "same document" in compare_versions("v1", source, "v2", source).text
    assert "is the one that is loaded" in compare_versions("v2", source, "v2", source).text
