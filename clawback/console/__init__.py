"""What `clawback up` shows: where everything stands, collected from the outside, and how it looks in a terminal."""

from clawback.console.collect import Collector
from clawback.console.render import live_view, plain_line
from clawback.console.status import Status, Tally

__all__ = ["Collector", "Status", "Tally", "live_view", "plain_line"]
