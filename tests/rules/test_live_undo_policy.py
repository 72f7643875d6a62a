"""Who is told of an undo that needs a second person."""

from pathlib import Path

from clawback.notifications import traits_of
from clawback.notifications.channel_file import parse_channels
from clawback.rules.live_undo_policy import LiveUndoPolicy
from clawback.rules.loader import load_reviewed
from tests.rules.folders import PLAIN, write


def rule(name: str, *actions: str) -> str:
    """A rule with some notifications."""
    lines = "".join(f"\n    - {one}" for one in actions)
    text = PLAIN.replace("name: a_rule", f"name: {name}").replace("actions:", f"actions:{lines}")
    return text.replace("6b0f6a1b7c11", f"{sum(map(ord, name)):012d}")


def policy(folder: Path) -> LiveUndoPolicy:
    """The policy of three rules, of which one tells nobody of a hold."""
    files = {
        "loud.yml": rule("loud", "notify: {channel: soc}"),
        "quiet.yml": rule("quiet", "notify: {channel: log, when: [done, undone]}"),
        "other.yml": rule("other", "notify: {channel: team, when: [held]}"),
    }
    url = "http://127.0.0.1:9/x"
    channels = parse_channels(
        {one: {"kind": "slack", "url": url} for one in ("soc", "log", "team")}
    )
    rules = load_reviewed(write(folder, files), traits_of(channels))
    return LiveUndoPolicy(lambda: rules)


def test_the_channels_of_the_rules_are_told(tmp_path: Path) -> None:
    """Those that they tell of a held case, each once."""
    told = policy(tmp_path)
    assert told.channels(["loud", "loud", "quiet"]) == ("soc",)
    assert set(told.channels(["other", "loud"])) == {"soc", "team"}


def test_only_the_channels_that_want_it_are_told_what_was_undone(tmp_path: Path) -> None:
    """None, if no rule of the cases names one."""
    told = policy(tmp_path)
    assert told.told_after(["quiet", "loud", "gone"]) == ("log",)
    assert told.told_after(["loud"]) == ()


def test_without_any_all_that_are_told_of_held_cases_are(tmp_path: Path) -> None:
    """The rule may be gone, or tell nobody."""
    told = policy(tmp_path)
    assert set(told.channels(["quiet", "gone"])) == {"soc", "team"}
