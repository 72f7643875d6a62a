"""The health checks of `clawback doctor`: each finding comes with its remedy. It changes nothing.

To add a check, write a function that returns findings and list it in `suite`.
"""

from clawback.doctor.check import CheckStatus, Finding
from clawback.doctor.suite import run_checks

__all__ = ["CheckStatus", "Finding", "run_checks"]
