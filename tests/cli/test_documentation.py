"""What docs/operations.md says of commands, settings, exit codes and metrics is what the code says."""

from clawback.cli.exits import ExitCode
from clawback.cli.program import COMMANDS
from clawback.settings import Settings, variable
from clawback.telemetry import metrics
from docs.generate_operations import PAGE, TABLES
from docs.tables import with_tables


def test_the_page_is_up_to_date() -> None:
    """The tables are as `make docs` would write them now.

    If this fails, run it and look at what it changed.
    """
    page = PAGE.read_text()
    assert page == with_tables(page, TABLES)


def test_nothing_is_left_out() -> None:
    """Every command, setting, exit code and metric is on the page."""
    page = PAGE.read_text()
    assert all(f"`clawback {command}" in page for command in COMMANDS)
    assert all(f"`{variable(name)}`" in page for name in Settings.model_fields)
    assert all(f"| {code.value} | {code.name} |" in page for code in ExitCode)
    assert all(f"`{name}" in page for name in metrics.LABELS)
