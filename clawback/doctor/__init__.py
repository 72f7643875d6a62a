"""The health checks of `clawback doctor`: each finding comes with its remedy. It changes nothing.

To add a check, write a function that returns findings and list it in `suite`.
"""

from typing import TYPE_CHECKING

from clawback.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from clawback.doctor.check import CheckStatus, Finding
    from clawback.doctor.suite import run_checks
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "CheckStatus": "check",
            "Finding": "check",
            "run_checks": "suite",
        },
    )

__all__ = ["CheckStatus", "Finding", "run_checks"]
