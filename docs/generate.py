"""Writes the generated parts of all pages: `python -m docs.generate`.

Exit code 1 if one was not up to date.
"""

import sys

from docs import generate_api, generate_operations, generate_rules
from docs.tables import rewrite

PAGES = (generate_operations, generate_rules, generate_api)


def main() -> int:
    """Write them all."""
    changed = [page.PAGE.name for page in PAGES if rewrite(page.PAGE, page.TABLES)]
    if changed:
        print(f"written anew: {', '.join(changed)}")  # noqa: T201 - a command
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
