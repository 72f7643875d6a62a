"""Links into Temporal's web interface."""

from clawback.temporal.ui_links import history_page, workflows_page


def test_a_link_leads_to_one_run() -> None:
    """What stands in an id is no part of the path."""
    assert (
        workflows_page("http://127.0.0.1:8233/", "default")
        == "http://127.0.0.1:8233/namespaces/default/workflows"
    )
    assert (
        history_page("http://x/namespaces/n/workflows", "case/r/0", "run")
        == "http://x/namespaces/n/workflows/case%2Fr%2F0/run/history"
    )


def test_where_nobody_said_where_the_interface_is_there_is_none() -> None:
    """Neither page nor link."""
    assert workflows_page(None, "default") == workflows_page("", "default") == ""
    assert history_page("", "case/r/0", "run") is None
