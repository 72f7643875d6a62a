"""What loads but cannot be meant is found, with its place, and what is well is left alone."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.errors import Problem
from tests.rules.folders import LOGSOURCE, PLAIN, TODAY, block, write

INBOX = "- move: {destination: Inbox}"
JUNK = "- move: {destination: JunkEmail}"
DELETED = "- move: {destination: DeletedItems}"


def review(folder: Path, files: Mapping[str, str]) -> tuple[Problem, ...]:
    """Write, read and review a folder."""
    return review_rules(read_folder(write(folder, files)), lambda: TODAY)


def said(folder: Path, files: Mapping[str, str]) -> list[str]:
    """What a review says, one line each, with the severity in front."""
    return [f"{problem.severity} {problem}" for problem in review(folder, files)]


def rule(
    name: str,
    number: int,
    detection: str = "sel: {from: a@x.test}",
    actions: str = JUNK,
    **changes: str,
) -> dict[str, str]:
    """A responding rule that matches mail from a@x.test, in a file of its name."""
    text = (
        PLAIN.replace("a_rule", name)
        .replace("6f1c3a52", f"{number:08d}")
        .replace("sel: {from: a@x.test}", detection)
    )
    text = text.replace(JUNK, actions)
    for before, after in changes.items():
        text = text.replace(f"{before}: ", f"{before}: {after} #")
    return {f"{name}.yml": text}


def blocking(detection: str, field: str = "from", kind: str = "email") -> dict[str, str]:
    """A rule that blocks the value of a field."""
    action = f"- block_sender: {{pattern: '{{{field}}}', kind: {kind}, expires_after: 7d}}"
    files = rule("a_rule", 1, detection, action)
    return {
        name: text.replace("  mode: enforce\n", f"  mode: enforce\n  group-by: [{field}]\n")
        for name, text in files.items()
    }


MANY = """title: Many
name: many
correlation:
  {type: event_count, rules: [a_block], group-by: [from], timespan: 1h, condition: {gte: 2}}
status: experimental
response: {mode: shadow, actions: [{move: {destination: JunkEmail}}]}
tests:
  - {name: one, events: [{at: 0h, from: a@x.test}], expect: {fires: 1}}
  - {name: two, events: [{at: 0h, from: b@x.test}], expect: {fires: 0}}
"""


def exception(lines: str, more: str = "") -> dict[str, str]:
    """An exception to all rules."""
    body = "".join(f"  {line}\n" for line in lines.splitlines())
    return {
        "exceptions/x.yml": (
            f"title: X\nname: x\nowner: me@x.test\n{more}{LOGSOURCE}filter:\n  rules: any\n{body}"
        )
    }


CASES: dict[str, tuple[dict[str, str], str]] = {
    "unused": (
        {"x.yml": block("sel: {subject: a}\nother: {subject: b}\ncondition: sel")},
        "warning x.yml:6:3: unused-selection: 'other' the condition does not use this selection",
    ),
    "never true": (
        {"x.yml": block("a: {from: a}\nb: {from: b}\ncondition: a and b")},
        (
            "error x.yml:7:14: unreachable: 'a and b' the condition can never be true: "
            "from cannot be a and b at once"
        ),
    ),
    "one field twice": (
        {"x.yml": block("sel: {from: a, from|contains: b}\ncondition: sel")},
        "the condition can never be true: from cannot be a and *b* at once",
    ),
    "excepts itself": (
        {
            "x.yml": block(
                "sel: {subject|contains: invoice 7}\nfilter: {subject|contains: Invoice}\n"
                "condition: sel and not filter"
            )
        },
        (
            "error x.yml:7:14: unreachable: 'sel and not filter' the condition can "
            "never be true: subject cannot be"
        ),
    ),
    "always true": (
        {"x.yml": block("sel: {is_quarantined: true}\ncondition: sel or not sel")},
        "error x.yml:6:14: unreachable: 'sel or not sel' the condition is always true",
    ),
    "always true by complement": (
        {"x.yml": block("sel: {from|exists: true}\nnone: {from: null}\ncondition: 1 of them")},
        "the condition is always true",
    ),
    "an alternative that is never true": (
        {"x.yml": block("a: {from: a}\nb: {from: b, from|startswith: a}\ncondition: a or b")},
        "warning x.yml:6:3: unreachable: 'b' the selection can never be true",
    ),
    "a filter that filters nothing": (
        {
            "x.yml": block(
                "a: {final_disposition: SPAM}\nfilter: {final_disposition: BULK}\n"
                "condition: a and not filter"
            )
        },
        (
            "warning x.yml:6:3: unreachable: 'filter' the selection makes no "
            "difference: final_disposition cannot be SPAM and BULK at once"
        ),
    ),
    "an exception from everything": (
        exception("a: {from: a}\ncondition: a and not a"),
        "error exceptions/x.yml:8:14: unreachable: 'a and not a' the condition can never be true",
    ),
    "an exception from nothing": (
        exception("a: {from: a}\ncondition: a or not a"),
        "this exception excludes nothing",
    ),
    "an unused selection of an exception": (
        exception("a: {from: a}\nb: {from: b}\ncondition: not a"),
        "warning exceptions/x.yml:8:3: unused-selection: 'b'",
    ),
    "an ended exception": (
        exception("a: {from: a}\ncondition: not a", "expires: 2026-11-21\n"),
        (
            "warning exceptions/x.yml:4:10: expired-exception: '2026-11-21' the "
            "exception x of me@x.test has expired"
        ),
    ),
    "a group that an event may lack": (
        {
            "a.yml": block("sel: {subject: a}\ncondition: sel"),
            "many.yml": MANY.replace("[from]", "[edf_hash]"),
        },
        (
            "warning many.yml:4:41: group-may-be-missing: 'edf_hash' events of a_block may have no "
            "edf_hash; such an event is not counted; require `edf_hash|exists: true` in a_block"
        ),
    ),
    "a group of what follows from a field that an event may lack": (
        {
            "a.yml": block("sel: {subject: a}\ncondition: sel"),
            "many.yml": MANY.replace("[from]", "[replyto_domain]"),
        },
        "'replyto_domain' events of a_block may have no replyto_domain",
    ),
    "a block of whoever is forged": (
        blocking("sel: {from: a@x.test}"),
        (
            "warning a_rule.yml:9:1: forgeable-pattern: '{from}' anybody can write any value into "
            "from, and the condition does not require proof that it is theirs; require "
            "`validation.dmarc: pass`"
        ),
    ),
    "a block of whoever is forged on one path": (
        blocking("sel: [{from: a@x.test, validation.dmarc: pass}, {from: a@x.test, subject: b}]"),
        "forgeable-pattern: '{from}'",
    ),
    "a block by what nothing vouches for": (
        blocking("sel: {from: a@x.test, validation.dmarc: pass}", "replyto"),
        "theirs; use a field that is authenticated",
    ),
    "a block by a correlation of forged mail": (
        {
            "b.yml": block("sel: {from: a@x.test}\ncondition: sel"),
            "many.yml": MANY.replace(
                "[{move: {destination: JunkEmail}}]",
                "[{block_sender: {pattern: '{from}', kind: email, expires_after: 7d}}]",
            ),
        },
        "require `validation.dmarc: pass` in a_block",
    ),
    "identical rules": (
        {**rule("a_rule", 1), **rule("b_rule", 2)},
        (
            "warning a_rule.yml:6:1: shadowed-rule: 'a_rule' every event it matches "
            "also matches b_rule (b_rule.yml:1)"
        ),
    ),
    "a narrower rule": (
        {
            **rule("a_rule", 1, "sel: {from: a@x.test, subject: null}"),
            **rule("b_rule", 2, "sel: {from|endswith: '@x.test'}"),
        },
        "shadowed-rule: 'a_rule' every event it matches also matches b_rule",
    ),
    "a weaker rule beside a stronger one": (
        {**rule("a_rule", 1), **rule("b_rule", 2, status="experimental", mode="shadow")},
        (
            "warning b_rule.yml:6:1: shadowed-rule: 'b_rule' every event it matches "
            "also matches a_rule"
        ),
    ),
    "opposite moves": (
        {**rule("a_rule", 1), **rule("b_rule", 2, actions=INBOX)},
        "error a_rule.yml:6:1: contradictory-rules: 'a_rule' it would move to JunkEmail; b_rule",
    ),
    "opposite moves by what no test shows": (
        {**rule("a_rule", 1), **rule("b_rule", 2, "sel: {subject: x}", INBOX)},
        'both match {"from": "a@x.test", "subject": "x"}',
    ),
    "opposite moves of a shadow rule": (
        {
            **rule("a_rule", 1),
            **rule("b_rule", 2, actions=INBOX, status="experimental", mode="shadow"),
        },
        "warning a_rule.yml:6:1: contradictory-rules",
    ),
    "two places": (
        {**rule("a_rule", 1), **rule("b_rule", 2, actions=DELETED)},
        (
            "warning a_rule.yml:6:1: contradictory-rules: 'a_rule' it would move to "
            "JunkEmail; b_rule (b_rule.yml:1) would move to"
        ),
    ),
}

WELL: dict[str, dict[str, str]] = {
    "one rule": {"a_rule.yml": PLAIN},
    "the same for other events": {
        **rule("a_rule", 1),
        **rule("b_rule", 2, "sel: {from: [b@x.test, c@x.test]}", DELETED),
    },
    "two places, one in shadow": {
        **rule("a_rule", 1),
        **rule("b_rule", 2, actions=DELETED, status="experimental", mode="shadow"),
    },
    "a block of who is proven": blocking("sel: {from: a@x.test, validation.dmarc: pass}"),
    "a block of a host": blocking("sel: {from: a@x.test}", "smtp_previous_hop_ip", "ip"),
    "an exception that goes on": {
        **exception("a: {from: a}\ncondition: not a", "expires: 2026-11-22\n"),
        "a.yml": block("sel: {subject: a}\ncondition: sel"),
    },
    "a group that every event has": {
        "a.yml": block("sel: {subject: a, edf_hash|exists: true}\ncondition: sel"),
        "many.yml": MANY.replace("[from]", "[edf_hash]"),
    },
    "a group of what follows from a field that every event has": {
        "a.yml": block("sel: {subject: a}\ncondition: sel"),
        "many.yml": MANY.replace("[from]", "[from_mailbox]"),
    },
    "a group of what follows from a field that is required": {
        "a.yml": block("sel: {replyto|exists: true}\ncondition: sel"),
        "many.yml": MANY.replace("[from]", "[replyto_domain]"),
    },
    "a list of several": {"x.yml": block("a: {to: a}\nb: {to: b}\ncondition: a and b")},
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_found(tmp_path: Path, case: str) -> None:
    """Each mistake is said with its place."""
    files, expected = CASES[case]
    found = said(tmp_path, files)
    assert any(expected in line for line in found), found


@pytest.mark.parametrize("case", WELL)
def test_what_is_well_is_left_alone(tmp_path: Path, case: str) -> None:
    """What only looks like one of the mistakes is not reported."""
    assert said(tmp_path, WELL[case]) == []


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    """Of two identical rules one is superfluous, not both.

    A contradiction is reported for the pair.
    """
    twins = said(tmp_path / "twins", {**rule("a_rule", 1), **rule("b_rule", 2)})
    opposed = said(tmp_path / "opposed", {**rule("a_rule", 1), **rule("b_rule", 2, actions=INBOX)})
    assert (len(twins), len(opposed)) == (1, 1)


def test_problems_of_the_loader_come_along(tmp_path: Path) -> None:
    """A folder that cannot be loaded is reviewed as far as it goes.

    Nothing hides behind the first kind of problem.
    """
    files = {
        "x.yml": block("a: {from: a}\nb: {from: b}\ncondition: a and b"),
        "y.yml": "title: 010\n",
    }
    assert [problem.code for problem in review(tmp_path, files)] == [
        "unreachable",
        "ambiguous-scalar",
    ]


def test_a_list_that_is_a_placeholder_is_not_judged(tmp_path: Path) -> None:
    """A filter over a list may come to nothing today: the list is for others to fill."""
    detection = "a: {from: a@x.test}\nfilter: {from|expand: '%known%'}\ncondition: a and not filter"
    files = {"lists/known.yml": "values: [nobody@y.test]\n", "x.yml": block(detection)}
    assert said(tmp_path, files) == []


def test_correlations_that_wait_for_the_same_are_found(tmp_path: Path) -> None:
    """The second of two equal correlations is superfluous."""
    files = {
        "b.yml": block("sel: {from: a@x.test}\ncondition: sel"),
        "many.yml": MANY,
        "more.yml": MANY.replace("name: many", "name: more"),
    }
    (line,) = said(tmp_path, files)
    assert line.startswith(
        "warning more.yml:3:1: shadowed-rule: 'more' it waits for the same as many (many.yml:1)"
    )
