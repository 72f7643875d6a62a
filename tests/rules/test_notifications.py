"""Rules that notify: which ones are refused, and what a match carries."""

from pathlib import Path

import pytest

from clawback.actions import ChannelTraits
from clawback.rules import RuleErrors
from clawback.rules.live import LiveRules
from clawback.rules.loader import load_reviewed
from clawback.services.configuration import channels_for_rules
from clawback.settings import Settings
from tests.rules.folders import message, problems, responding, write

CHANNELS = {
    "soc": ChannelTraits(kind="slack"),
    "siem": ChannelTraits(kind="webhook", supports_screenshots=True),
    "desk": ChannelTraits(kind="mail", supports_screenshots=True, supports_reporters=True),
}
TESTS = (
    "tests:\n  - {name: one, event: {from: a@x.test}, expect: match}\n"
    "  - {name: two, event: {}, expect: no match}"
)
SUBMITTED = "logsource: {product: cloudflare, service: email_security, category: submission}"


def rule(*actions: str, logsource: str | None = None) -> dict[str, str]:
    """A rule with these actions."""
    keys = {"logsource": logsource} if logsource else {}
    field = "requested_by" if logsource else "from"
    group = "original_edf_hash" if logsource else "edf_hash"
    response = f"response: {{mode: enforce, group-by: [{group}], actions: [{', '.join(actions)}]}}"
    detection = f"sel: {{{field}: a@x.test}}\ncondition: sel"
    return {
        "a_rule.yml": responding(
            detection, response=response, tests=TESTS.replace("from", field), **keys
        )
    }


def refused(folder: Path, files: dict[str, str]) -> str:
    """Load the rules with these channels, as a worker does, and return the error."""
    with pytest.raises(RuleErrors) as raised:
        load_reviewed(write(folder, files), CHANNELS)
    return str(raised.value)


def test_notifications_follow_other_actions(tmp_path: Path) -> None:
    """They follow all other actions, and the plan carries them as they are."""
    rules = load_reviewed(
        write(tmp_path, rule("{notify: {channel: soc}}", "{move: {destination: JunkEmail}}")),
        CHANNELS,
    )
    (match,) = rules.evaluate(message(from_="a@x.test", edf_hash="x")).matches
    assert [action.name for action in match.plan.actions] == ["move"]
    assert [action.channel for action in match.plan.notifications] == ["soc"]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("{notify: {channel: pager}}", "unknown channel pager; configured: soc, siem, desk"),
        (
            "{notify: {channel: soc, screenshot: true}}",
            "channel soc is of kind slack, which takes no screenshots",
        ),
    ],
)
def test_a_channel_must_exist_and_support_the_action(
    tmp_path: Path, action: str, said: str
) -> None:
    """The error names the place of the action."""
    text = refused(tmp_path, rule(action))
    assert said in text
    assert "a_rule.yml:9:" in text


def test_only_mail_channels_reach_reporters(tmp_path: Path) -> None:
    """Only a submission names one."""
    assert "channel soc is of kind slack, which cannot write to a reporter" in refused(
        tmp_path, rule("{tell_reporter: {channel: soc}}", logsource=SUBMITTED)
    )
    (problem,) = problems(tmp_path, rule("{tell_reporter: {channel: desk}}"))
    assert "only submissions name a reporter" in problem


async def test_a_reload_with_an_unknown_channel_keeps_the_old_rules(tmp_path: Path) -> None:
    """The problem is reported like every other error."""
    live = LiveRules.load(write(tmp_path, rule("{notify: {channel: soc}}")), CHANNELS)
    before = live.current
    write(tmp_path, rule("{notify: {channel: pager}}"))
    change = await live.reload_if_changed()
    assert change is not None
    assert (change.new, live.current) == (None, before)
    assert "unknown channel pager" in str(live.problem)


def test_a_rehearsal_takes_rules_that_name_channels_and_an_account_does_not() -> None:
    """A rehearsal is given no channels, so that it cannot tell anybody."""
    rehearsing, real = Settings(api_url="http://127.0.0.1:1"), Settings(api_url="https://api.test")
    assert channels_for_rules(rehearsing, {}) is None
    assert channels_for_rules(real, {}) == {}


def test_channels_are_checked_only_where_they_are_known(tmp_path: Path) -> None:
    """`clawback rules check` runs where the channel file is not."""
    load_reviewed(write(tmp_path, rule("{notify: {channel: pager}}")))
    with pytest.raises(RuleErrors, match="CLAWBACK_CHANNELS is not set"):
        load_reviewed(tmp_path, {})


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (
            "{notify: {channel: soc, template: '{body}'}}",
            "a notification has no field or word {body}",
        ),
        ("{notify: {channel: soc, template: '{done'}}", "unbalanced brace"),
        ("{notify: {channel: Soc}}", "notify.channel: must be the name of a channel: up to 64 of"),
        (
            "{notify: {channel: soc, when: [never]}}",
            "notify.when.0: must be one of held, done, failed, denied, expired or undone",
        ),
        ("{notify: {channel: soc, when: []}}", "notify.when: must not be empty"),
        (
            "{notify: {channel: soc, url: 'https://x.test'}}",
            "action: 'url' there is no such key here; use one of channel, template",
        ),
    ],
)
def test_invalid_notifications_are_refused(tmp_path: Path, action: str, said: str) -> None:
    """A rule cannot hold a secret either."""
    (problem,) = problems(tmp_path, rule(action))
    assert said in problem


@pytest.mark.parametrize("template", ["{done} {case} {link}", "{edf_hash}: {summary}", "no words"])
def test_a_template_takes_fields_of_the_group_and_words_of_the_case(
    tmp_path: Path, template: str
) -> None:
    """They may be empty."""
    assert problems(tmp_path, rule(f"{{notify: {{channel: soc, template: '{template}'}}}}")) == []


def test_rules_that_tell_others_are_not_superfluous(tmp_path: Path) -> None:
    """Doing the same and telling somebody else is something else."""
    first, second = (
        rule("{notify: {channel: soc}}")["a_rule.yml"],
        rule("{notify: {channel: siem}}")["a_rule.yml"],
    )
    files = {
        "a_rule.yml": first,
        "b_rule.yml": second.replace("a_rule", "b_rule").replace("6f1c3a52", "7f1c3a52"),
    }
    assert load_reviewed(write(tmp_path, files), CHANNELS).rules.keys() == {"a_rule", "b_rule"}
