"""What every route must declare."""

from clawback.console.page_routes import RateClass
from clawback.console.pages import PAGES
from clawback.model.identity import Role

SEARCHES = {"/search", "/history/search", "/cases/{rule}/{hash}/messages"}
SIGNS_IN = ("/sign-in", "/auth/")


def test_only_what_signs_people_in_needs_no_role() -> None:
    """Everything else says who may see it."""
    open_pages = {page.path for page in PAGES if page.role is None}
    assert all(path.startswith(SIGNS_IN) for path in open_pages)


def test_what_changes_something_is_no_get() -> None:
    """Mail scanners and chat previews fetch links: a GET never decides."""
    for page in PAGES:
        assert page.methods in {("GET",), ("POST",)}, page.path


def test_a_viewer_decides_nothing() -> None:
    """Only search and the settings of one's own browser are POSTs for viewers."""
    posts = {page.path for page in PAGES if page.methods == ("POST",) and page.role is Role.VIEWER}
    assert posts <= {*SEARCHES, "/settings"}


def test_every_decision_is_counted() -> None:
    """A POST counts against the limit of decisions, unless it has a stricter or own class."""
    for page in PAGES:
        if page.methods == ("POST",) and page.path not in {"/search", "/settings"}:
            assert page.rate is not RateClass.PAGE, page.path
