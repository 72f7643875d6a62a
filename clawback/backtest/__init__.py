"""Backtest: what rules would have done over past mail, without changing anything.

The rule engine, the correlation windows and the cases are those of production. Work here on how
history is read, replayed and reported.
"""

from clawback.backtest.replay import Backtest, Traffic
from clawback.backtest.results import Result, summarize
from clawback.backtest.versions import NoSuchVersion, open_version

__all__ = ["Backtest", "NoSuchVersion", "Result", "Traffic", "open_version", "summarize"]
