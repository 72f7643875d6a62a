"""`python -m clawback.simulator`: the simulator without the rest of clawback."""

import typer

from clawback.simulator.command import simulate

if __name__ == "__main__":
    typer.run(simulate)
