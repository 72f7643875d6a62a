"""The minimum work of a backtest.

`python -m bench.reading FILE` reads a corpus and parses every record with pydantic.
"""

import sys
from pathlib import Path

from clawback.cloudflare import Message
from clawback.simulator import read_corpus


def main(path: Path) -> None:
    """Parse every message of a file."""
    for line in read_corpus(path):
        if line.kind == "message":
            Message.parse(line.record)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
