"""Links into Temporal's web interface, where somebody said where that is."""

from urllib.parse import quote


def workflows_page(ui: str | None, namespace: str) -> str:
    """Where the interface shows the workflows of a namespace.

    Empty where nobody said where the interface is.
    """
    address = (ui or "").rstrip("/")
    return f"{address}/namespaces/{quote(namespace)}/workflows" if address else ""


def history_page(workflows: str, workflow: str, run: str) -> str | None:
    """Where it shows the history of one run, below the page of the workflows.

    None where that is not known.
    """
    return f"{workflows}/{quote(workflow, safe='')}/{run}/history" if workflows else None
