"""`python -m clawback`: the command line."""

from clawback.cli import main

if __name__ == "__main__":
    main()
