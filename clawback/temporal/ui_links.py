"""Links into Temporal's web interface, if its address is set."""

from urllib.parse import quote


def workflows_page(ui: str | None, namespace: str) -> str:
    """Return the address of the list of workflows; empty without an address of the interface."""
    address = (ui or "").rstrip("/")
    return f"{address}/namespaces/{quote(namespace)}/workflows" if address else ""


def history_page(workflows: str, workflow: str, run: str) -> str | None:
    """Return the address of the history of one run; None without an address of the interface."""
    return f"{workflows}/{quote(workflow, safe='')}/{run}/history" if workflows else None
