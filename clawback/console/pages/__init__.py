"""The pages, one module each: read, build the view, render. `PAGES` lists their routes."""

from typing import Final

from clawback.console.events import EVENT_PAGES
from clawback.console.page_routes import Page
from clawback.console.pages.blocks import BLOCK_PAGES
from clawback.console.pages.browser_settings import SETTINGS_PAGES
from clawback.console.pages.case_audit import CASE_AUDIT_PAGES
from clawback.console.pages.case_decisions import DECISION_PAGES
from clawback.console.pages.case_messages import MESSAGE_LIST_PAGES
from clawback.console.pages.case_page import CASE_PAGES
from clawback.console.pages.channels import CHANNEL_PAGES
from clawback.console.pages.exception_page import EXCEPTION_PAGES
from clawback.console.pages.history import HISTORY_PAGES
from clawback.console.pages.inbox import INBOX_PAGES
from clawback.console.pages.installations import INSTALLATION_PAGES
from clawback.console.pages.message_page import MESSAGE_PAGES
from clawback.console.pages.numbers import NUMBER_PAGES
from clawback.console.pages.operations import OPERATIONS_PAGES
from clawback.console.pages.review import REVIEW_PAGES
from clawback.console.pages.rule_jobs import RULE_JOB_PAGES
from clawback.console.pages.rules import RULE_PAGES
from clawback.console.pages.sessions import SESSION_PAGES
from clawback.console.pages.short_ids import SHORT_ID_PAGES
from clawback.console.pages.stop import STOP_PAGES
from clawback.console.pages.undo import UNDO_PAGES

PAGES: Final[tuple[Page, ...]] = (
    *INBOX_PAGES,
    *CASE_PAGES,
    *DECISION_PAGES,
    *CASE_AUDIT_PAGES,
    *MESSAGE_LIST_PAGES,
    *MESSAGE_PAGES,
    *EXCEPTION_PAGES,
    *SHORT_ID_PAGES,
    *RULE_JOB_PAGES,
    *RULE_PAGES,
    *NUMBER_PAGES,
    *OPERATIONS_PAGES,
    *INSTALLATION_PAGES,
    *BLOCK_PAGES,
    *SESSION_PAGES,
    *CHANNEL_PAGES,
    *STOP_PAGES,
    *REVIEW_PAGES,
    *HISTORY_PAGES,
    *UNDO_PAGES,
    *SETTINGS_PAGES,
    *EVENT_PAGES,
)
"""Every page of the console."""
