"""Everything of clawback that can be imported and tested without Temporal.

It never imports `workflows` or `activities`.
"""

__version__ = "0.1.0"
