"""What `safety.yml` forbids."""

from datetime import timedelta
from pathlib import Path

import pytest

from clawback.model.addresses import PatternKind
from tests.rules.folders import load

SAFETY = """never_block:
  addresses: [Boss@Partner.test]
  domains: [gmail.test]
  suffixes: [own.test]
  networks: [192.0.2.0/24]
ignored_delivery_modes: [SIMULATION_SUBMISSION]
maximum_age: 2d
budgets: {overall: [{messages: 10, per: 1h}], rule: {messages: 5, per: 1h}}
"""


@pytest.mark.parametrize(
    ("pattern", "kind", "forbidden"),
    [
        (" boss@partner.TEST", PatternKind.EMAIL, True),
        ("other@partner.test", PatternKind.EMAIL, False),
        ("someone@gmail.test", PatternKind.EMAIL, False),
        ("gmail.test", PatternKind.DOMAIN, True),
        ("mail.gmail.test", PatternKind.DOMAIN, False),
        ("a@own.test", PatternKind.EMAIL, True),
        ("a@deep.own.test", PatternKind.EMAIL, True),
        ("a@notown.test", PatternKind.EMAIL, False),
        ("deep.own.test", PatternKind.DOMAIN, True),
        ("notown.test", PatternKind.DOMAIN, False),
        ("partner.test", PatternKind.DOMAIN, True),
        ("test", PatternKind.DOMAIN, True),
        ("192.0.2.7", PatternKind.IP, True),
        ("192.0.0.0/16", PatternKind.IP, True),
        ("198.51.100.7", PatternKind.IP, False),
        ("2001:db8::1", PatternKind.IP, False),
        ("nonsense", PatternKind.IP, False),
        ("", PatternKind.EMAIL, False),
    ],
)
def test_whom_a_block_would_hit(
    tmp_path: Path,
    pattern: str,
    kind: PatternKind,
    forbidden: bool,  # noqa: FBT001
) -> None:
    """Nothing on the never-block list can be blocked, nor anything that contains it."""
    assert load(tmp_path, {"safety.yml": SAFETY}).safety.forbids(pattern, kind) is forbidden


@pytest.mark.parametrize(
    ("expression", "forbidden"),
    [
        (r".*", True),
        (r"@gmail\.test$", True),
        (r"^bad\.guy@gmail\.test$", False),
        (r"(?i)BOSS@partner\.test", True),
        (r"own\.test", True),
        (r"^192\.0\.2\.", True),
        (r"@evil[0-9]+\.test$", False),
        (r"(?=.*own)x", True),  # not RE2's: nobody can say
    ],
)
def test_whom_an_expression_would_hit(tmp_path: Path, expression: str, forbidden: bool) -> None:  # noqa: FBT001
    """What finds a listed name or anybody at it is forbidden.

    One address of a free mailer is not.
    """
    assert load(tmp_path, {"safety.yml": SAFETY}).safety.forbids_expression(expression) is forbidden


def test_the_rest_is_read(tmp_path: Path) -> None:
    """Ages, delivery modes and budgets are read as written."""
    safety = load(tmp_path, {"safety.yml": SAFETY}).safety

    assert safety.maximum_age == timedelta(days=2)
    assert safety.ignored_delivery_modes == {"SIMULATION_SUBMISSION"}
    assert [
        (limit.messages, limit.per) for limit in safety.budgets.overall + safety.budgets.rule
    ] == [
        (10, timedelta(hours=1)),
        (5, timedelta(hours=1)),
    ]


def test_the_defaults_are_careful(tmp_path: Path) -> None:
    """An empty safety.yml keeps the age limit and forbids hard deletes."""
    safety = load(tmp_path, {}).safety

    assert safety.maximum_age == timedelta(hours=72)
    assert safety.hard_delete is False
