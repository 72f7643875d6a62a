"""What `clawback doctor` looks at: one check a matter, each a finding with what to do. It reads alone; nothing is made, mended or moved."""

from clawback.doctor.examination import Finding, Verdict
from clawback.doctor.rounds import examine

__all__ = ["Finding", "Verdict", "examine"]
