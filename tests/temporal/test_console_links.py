"""Links into the console."""

import pytest

from clawback.settings import Settings
from clawback.temporal.console_links import PageLinks, local_console

LINKS = PageLinks.of(
    Settings(console_url="https://console.test/", temporal_ui="https://ui.test"), "default"
)


def test_a_link_to_a_case_names_its_first_run() -> None:
    """The id alone would lead to the next campaign of the same group."""
    page = LINKS.case_page("case/quarantine_bec/0123456789abcdef", "9e02d1aa-5f0c")
    assert page == "https://console.test/cases/quarantine_bec/0123456789abcdef?run=9e02d1aa"


def test_a_link_to_a_part_leads_to_its_case() -> None:
    """The page of a case shows all its parts, and the run is that of the part."""
    assert LINKS.case_page("case/r/0123/7", "9e02d1aa") == "https://console.test/cases/r/0123"


def test_links_lead_to_undo_rule_and_operations() -> None:
    """Each has a page of its own."""
    assert LINKS.undo_page("undo/7f/2", "run") == "https://console.test/undo/7f"
    assert LINKS.rule_page("a b") == "https://console.test/rules/a%20b"
    assert LINKS.operations_page == "https://console.test/ops"


def test_without_a_console_links_lead_to_temporal_or_nowhere() -> None:
    """A link that cannot work is worse than none."""
    temporal = PageLinks(workflows="https://ui.test/w")
    assert temporal.case_page("case/r/0", "run") == "https://ui.test/w/case%2Fr%2F0/run/history"
    assert temporal.undo_page("undo/7f/1", "run") == "https://ui.test/w/undo%2F7f%2F1/run/history"
    assert temporal.rule_page("r") is temporal.operations_page is None
    assert PageLinks().case_page("case/r/0", "run") is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8434", "http://127.0.0.1:8434"),
        ("[::1]:8434", "http://[::1]:8434"),
        ("0.0.0.0:8434", ""),
    ],
)
def test_only_a_console_on_loopback_has_an_address_without_being_told(
    address: str, expected: str
) -> None:
    """Nobody can open the address that a server for others listens on."""
    assert local_console(Settings(console=address)) == expected
