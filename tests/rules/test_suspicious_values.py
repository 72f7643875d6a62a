"""Values that load and can hardly be meant are warnings, with what was probably meant."""

from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from tests.cli.command import clawback
from tests.rules.folders import block, is_match, load, message, responding, write

LISTS = {"lists/vips.yml": "values: [Ana]\n"}

ODD: dict[str, tuple[str, str]] = {
    "a list without expand": (
        "from_name: '%vips%'",
        (
            "suspicious-value: '%vips%' without expand, %vips% is a text and not the values of a "
            "list; write from_name|expand: '%vips%'"
        ),
    ),
    "a list without expand in another modifier": (
        "from_name|contains: '%vips%'",
        "write from_name|expand|contains: '%vips%'",
    ),
    "expand without a list": ("from_name|expand: Ana", "expand has no effect on a value without"),
    "backspace": (
        'subject|re: "\\bpay\\b"',
        "suspicious-value: '\\\\x08pay\\\\x08' the value has the control character U+0008",
    ),
    "escape": ('subject: "\\e[31m"', "control character U+001B"),
    "one of a list": ('subject|contains: [a, "\\x07"]', "control character U+0007"),
    "digits": (r"subject|contains: 'invoice \d'", "without re this is no regular expression"),
    "any text": ("subject: '.*invoice.*'", "write subject|re: '.*invoice.*'"),
    "anchors": ("subject: '^invoice$'", "without re"),
    "alternatives": ("subject|contains: '(invoice|payment)'", "without re"),
    "a class": ("subject|contains: '[a-z]{4}'", "without re"),
    "an escaped dot": (r"from|endswith: '@x\.test'", "without re"),
    "a network of a name": ("from_name|cidr: 192.0.2.0/24", "from_name is a string: only values"),
    "a host": (
        "from_domain: [x.test, mail.google.com]",
        (
            "suspicious-value: 'mail.google.com' from_domain is a registered domain and never a "
            "host below one; write from_domain: google.com"
        ),
    ),
    "hosts": ("replyto_domain|endswith: .x.co.uk", "write replyto_domain: x.co.uk"),
    "the host of a link": (
        "detections.links: {href_domain: accounts.google.com}",
        "write href_domain: google.com",
    ),
    "a new verdict": (
        "final_disposition: EVIL",
        "unknown-value: 'EVIL' no known value of final_disposition is EVIL; known so far are",
    ),
    "a prefix": ("final_disposition|startswith: MALL", "final_disposition is MALL*"),
    "a slip": ("final_disposition: MALICOUS", "did you mean 'MALICIOUS'?"),
    "a new verdict of a part": ("detections.attachments.detection: EVIL", "unknown-value: 'EVIL'"),
}
PLAIN_VALUES = [
    "from_domain: [x.test, x.co.uk, co.uk, a.web.app, 192.0.2.7, bücher.example]",
    "from_domain|endswith: [.test, .co.uk, bank.test]",
    "from_domain|contains: mail.google.com",
    "from|endswith: '@mail.google.com'",
    "subject: 'Invoice (2026) - 50% off!'",
    "subject: 100% sure %",
    "subject: 'Save 5$'",
    "subject: '[JIRA-123]* (draft)?'",
    "subject: 'Re: [EXTERNAL] report.*'",
    r"subject: 'a\*b'",
    "from_name|expand: '%vips%'",
    r"subject|re: '^inv\d+$'",
    'subject: "line\\nline"',
    "smtp_previous_hop_ip|cidr: 192.0.2.0/24",
    "final_disposition|startswith: MAL",
    "detections.links.href|contains: 'https://x.test/a.b?c=d+e&f=(g)'",
    "from|endswith: '@x.test'",
]


def warnings(folder: Path, entry: str) -> list[str]:
    """What the review says of a selection with one entry."""
    write(folder, {"x.yml": block(f"sel:\n  {entry}\ncondition: sel"), **LISTS})
    loaded = read_folder(folder)
    assert not list(loaded.problems)
    return [f"{one.severity} {one}" for one in review_rules(loaded)]


@pytest.mark.parametrize("case", ODD)
def test_it_is_a_warning(tmp_path: Path, case: str) -> None:
    """The rule loads; the warning has the place of the value, and what to write."""
    entry, expected = ODD[case]
    (found,) = warnings(tmp_path, entry)
    assert found.startswith("warning x.yml:6:")
    assert expected in found


@pytest.mark.parametrize("entry", PLAIN_VALUES)
def test_plain_values_are_left_alone(tmp_path: Path, entry: str) -> None:
    """Signs that only resemble a mistake are no warning."""
    assert warnings(tmp_path, entry) == []


def test_a_rule_for_a_new_verdict_matches_it(tmp_path: Path) -> None:
    """What the catalogue does not know yet is compared as any other value."""
    rules = load(
        tmp_path, {"a_rule.yml": responding("sel: {final_disposition: EVIL}\ncondition: sel")}
    )
    assert is_match(rules, message(final_disposition="evil"))


def test_a_new_delivery_mode_may_be_ignored(tmp_path: Path) -> None:
    """The safety document may name one that the API adds tomorrow; it is a warning."""
    write(
        tmp_path,
        {
            "safety.yml": "ignored_delivery_modes: [RETRO_SCANN]\n",
            "a_rule.yml": responding("sel: {final_disposition: SPAM}\ncondition: sel"),
        },
    )
    (problem,) = review_rules(read_folder(tmp_path))
    assert str(problem).endswith("has this name; did you mean 'RETRO_SCAN'?")


def test_unknown_values_can_be_allowed(tmp_path: Path) -> None:
    """A pipeline that fails on warnings passes with --allow-unknown-values."""
    folder = str(
        write(tmp_path, {"x.yml": block("sel: {final_disposition: EVIL}\ncondition: sel")})
    )
    assert clawback("rules", "check", folder, "--strict").returncode == ExitCode.NO
    done = clawback("rules", "check", folder, "--strict", "--allow-unknown-values")
    assert (done.returncode, "warning" in done.stdout) == (ExitCode.OK, False)


def test_a_new_verdict_in_a_test_is_a_warning_too(tmp_path: Path) -> None:
    """It has its place, and a rule for the verdict can be tested."""
    rule = responding(
        "sel: {final_disposition: EVIL}\ncondition: sel",
        tests="tests:\n  - {name: one, event: {final_disposition: EVIL}, expect: match}\n"
        "  - {name: two, event: {final_disposition: MALICOUS}, expect: no match}",
    )
    folder = write(tmp_path, {"a_rule.yml": rule})
    load(tmp_path, {})
    first, *found = [str(one) for one in review_rules(read_folder(folder))]
    assert ": unknown-value: 'EVIL' no known value" in first
    assert [one.split(": ")[0] for one in found] == ["a_rule.yml:11:25", "a_rule.yml:12:25"]
    assert "did you mean 'MALICIOUS'?" in found[1]
