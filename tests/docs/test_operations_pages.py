"""docs/operations/ leaves nothing out: commands, settings, states, outcomes, records, endpoints."""

import re

import pytest

from clawback.actions import outcomes
from clawback.cases.state import CaseState
from clawback.cli.exits import ExitCode
from clawback.cli.program import COMMANDS
from clawback.model.audit_record import RecordKind
from clawback.settings import Settings, variable
from clawback.simulator.control_endpoints import PREFIX, ControlEndpoints
from clawback.simulator.service import Simulator
from clawback.telemetry import metrics
from clawback.temporal.names import SEARCH_ATTRIBUTES
from docs.tables import DOCS


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed(command: str) -> None:
    """Each command, or its subcommands, has a row."""
    assert f"`clawback {command}" in _page("operations/commands.md")


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_listed_with_its_meaning(code: ExitCode) -> None:
    """Each code has a row whose meaning is not empty."""
    assert re.search(
        rf"^\| {code.value} \| {code.name} \| \S", _page("operations/commands.md"), re.MULTILINE
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_listed(name: str) -> None:
    """Each environment variable has a row."""
    assert f"`{variable(name)}`" in _page("operations/settings.md")


@pytest.mark.parametrize(("name", "kind"), SEARCH_ATTRIBUTES.items())
def test_every_search_attribute_is_created_in_the_guide(name: str, kind: str) -> None:
    """With its type, for a cluster and for Temporal Cloud."""
    page = _page("operations/production.md")
    assert f"--name {name} --type {kind}" in page
    assert f'--sa "{name}={kind}"' in page


@pytest.mark.parametrize("name", metrics.LABELS)
def test_every_metric_is_listed(name: str) -> None:
    """Each metric has a row."""
    assert f"`{name}" in _page("operations/monitoring.md")


@pytest.mark.parametrize("one", CaseState)
def test_every_state_of_a_case_is_described(one: CaseState) -> None:
    """Each state has a row."""
    assert f"| `{one}` |" in _page("operations/cases.md")


@pytest.mark.parametrize(
    "outcome",
    [*sorted(outcomes.TOOK_EFFECT), outcomes.ALREADY_THERE, outcomes.GONE, outcomes.WOULD],
)
def test_every_outcome_is_described(outcome: str) -> None:
    """Each outcome is in the table of outcomes."""
    assert f"`{outcome}`" in _page("operations/cases.md").partition("## Outcomes")[2]


@pytest.mark.parametrize("kind", RecordKind)
def test_every_record_of_the_audit_is_described(kind: RecordKind) -> None:
    """Each kind of record is on the page."""
    assert f"`{kind}`" in _page("operations/audit.md")


def test_every_control_endpoint_of_the_simulator_is_described() -> None:
    """Each path below `/_sim/` is on the page."""
    paths = [route.path for route in ControlEndpoints(Simulator().account).routes()]
    page = _page("operations.md")
    assert paths
    assert [path for path in paths if path.removeprefix(PREFIX) not in page] == []
