"""Renders templates. They print finished text: a test reads their syntax trees for anything else.

Every value is escaped, and a name that is not given is an error.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from clawback.console.views.layout import Layout


def template_environment() -> Environment:
    """Build the environment of the console's templates."""
    return Environment(
        loader=PackageLoader("clawback.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


class Renderer:
    """Renders the templates under `pages/`, each within the layout."""

    def __init__(self, environment: Environment | None = None) -> None:
        self._environment = environment or template_environment()

    def render(
        self,
        template: str,
        layout: Layout,
        view: object,
        *,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Render `pages/<template>.html` with a view."""
        found = self._environment.get_template(f"pages/{template}.html")
        values: dict[str, Any] = {"layout": layout, "view": view}
        return HTMLResponse(found.render(values), status, headers)
