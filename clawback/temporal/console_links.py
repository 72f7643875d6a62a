"""Links into the web console, or into Temporal's web interface where no console is known.

A link only shows something; nothing is decided by following it.
"""

from dataclasses import dataclass
from urllib.parse import quote

from clawback.model.hosts import is_loopback
from clawback.settings import Settings
from clawback.temporal import names
from clawback.temporal.ui_links import history_page, workflows_page

RUN_DIGITS = 8
"""So much of the id of a run tells the campaigns of one case id apart."""


def local_console(settings: Settings) -> str:
    """Return the URL of the console on this machine; empty if it listens for others too."""
    host = settings.console.rpartition(":")[0].strip("[]")
    return f"http://{settings.console}" if is_loopback(host) else ""


@dataclass(frozen=True)
class PageLinks:
    """Builds links. `console` is the URL of the console, `workflows` Temporal's list of workflows.

    Either may be empty.
    """

    console: str = ""
    workflows: str = ""

    @classmethod
    def of(cls, settings: Settings, namespace: str) -> "PageLinks":
        """Take both addresses from the settings."""
        return cls(
            (settings.console_url or "").rstrip("/"),
            workflows_page(settings.temporal_ui, namespace),
        )

    def case_page(self, case_id: str, run: str) -> str | None:
        """Link to a case by its id and first run; a part of a campaign is on the page of its case.

        Without the run a link would show the next campaign that gets the id.
        """
        if not self.console:
            return history_page(self.workflows, case_id, run)

        head, part = names.case_and_part(case_id)
        _, rule, digest = head.split("/")
        page = f"{self.console}/cases/{quote(rule, safe='')}/{quote(digest, safe='')}"
        return page if part > 1 else f"{page}?run={run[:RUN_DIGITS]}"

    def undo_page(self, undo_id: str, run: str) -> str | None:
        """Link to an undo, by the id and run of the workflow of one of its pages."""
        if not self.console:
            return history_page(self.workflows, undo_id, run)
        return f"{self.console}/undo/{quote(undo_id.split('/')[1], safe='')}"

    def rule_page(self, rule: str) -> str | None:
        """Link to a rule."""
        return f"{self.console}/rules/{quote(rule, safe='')}" if self.console else None

    @property
    def inbox_page(self) -> str | None:
        """Link to what waits for people."""
        return f"{self.console}/" if self.console else None

    @property
    def operations_page(self) -> str | None:
        """Link to what runs, and to the kill switch."""
        return f"{self.console}/ops" if self.console else None
