"""Runs `worker.py` by path, with its folder first on `sys.path`: `python -P -m clawback.run_worker`.

The folder goes first so that no other `workflows` or `activities` replaces those of clawback.
"""

import runpy
import sys

from clawback.app_files import app_folder

if __name__ == "__main__":
    sys.path.insert(0, str(app_folder()))
    runpy.run_path(str(app_folder() / "worker.py"), run_name="__main__")
