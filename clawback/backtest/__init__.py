"""What rules would have done over history.

Replay, cases, actions, the difference between two versions, a report. Changes nothing.

It shares with production the engine, the grouping and the windows; a case's life is shortened to
what decides which messages it takes.
"""

from clawback.backtest.replay import Backtest, Traffic
from clawback.backtest.results import Result, summarize
from clawback.backtest.versions import NoSuchVersion, open_version

__all__ = ["Backtest", "NoSuchVersion", "Result", "Traffic", "open_version", "summarize"]
