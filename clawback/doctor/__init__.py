"""What `clawback doctor` looks at: one check a matter, each a finding with what to do.

It reads alone; nothing is made, mended or moved.
"""

from clawback.doctor.check import CheckStatus, Finding
from clawback.doctor.suite import examine

__all__ = ["CheckStatus", "Finding", "examine"]
