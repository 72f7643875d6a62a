"""A report as one HTML file that loads nothing and has no script, for screen and print.

Jinja2 escapes every value, and the content security policy of the page allows its style alone.
"""

from base64 import b64encode
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from clawback.model.texts import printable
from clawback.reports.report import Report, format_precision

_TEMPLATES = Environment(
    loader=PackageLoader("clawback.reports"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE = _TEMPLATES.get_template("report.css").render()


_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()


def report_policy() -> str:
    """Return the content security policy that the page needs: its style, and nothing else."""
    return f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'"


def write_report_page(report: Report) -> str:
    """Render the whole page."""
    rules = [(printable(one.rule), one, format_precision(one.precision)) for one in report.rules]
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        rules=rules,
        people=[(printable(one.person), one) for one in report.people],
        style=_STYLE,
        style_hash=_STYLE_HASH,
    )
