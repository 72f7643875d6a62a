"""Templates in parameters of actions that are not templated."""

from pathlib import Path

import pytest

from clawback.actions import AllowSender
from tests.rules.folders import load, problems, responding


def rule(pattern: str) -> dict[str, str]:
    """A rule that allows a sender."""
    response = (
        "response:\n  mode: shadow\n  group-by: [from]\n  actions:\n"
        f"    - allow_sender: {{kind: email, pattern: '{pattern}'}}"
    )
    tests = (
        "tests:\n  - {name: one, event: {from: a@x.test}, expect: match}\n"
        "  - {name: two, event: {}, expect: no match}"
    )
    detection = "sel: {from: a@x.test}\ncondition: sel"
    return {"a_rule.yml": responding(detection, response=response, tests=tests)}


@pytest.fixture
def literal_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """An action whose pattern is sent as written."""
    monkeypatch.setattr(AllowSender, "templated_fields", ())


@pytest.mark.usefixtures("literal_pattern")
def test_a_template_in_another_parameter_is_refused(tmp_path: Path) -> None:
    """It would be sent to the API as it is written; the error gives its line and column."""
    (problem,) = problems(tmp_path, rule("{from}"))
    assert problem == (
        "a_rule.yml:13:44: template: '{from}' allow_sender does not fill in templates in pattern; "
        "write the value itself"
    )


@pytest.mark.usefixtures("literal_pattern")
def test_the_braces_of_a_regular_expression_are_no_template(tmp_path: Path) -> None:
    """A count such as `{2}` names no field."""
    assert "a_rule" in load(tmp_path, rule("a{2}@x.test")).rules


def test_a_template_in_a_templated_parameter_is_accepted(tmp_path: Path) -> None:
    """The same rule is fine where the pattern is templated."""
    assert "a_rule" in load(tmp_path, rule("{from}")).rules
