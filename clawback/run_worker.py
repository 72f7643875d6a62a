"""Runs `worker.py` by path: `python -P -m clawback.run_worker`.

Its folder goes first on `sys.path`, so that no other `workflows` or `activities` replaces ours.
"""

import runpy
import sys

from clawback.app_files import app_folder

if __name__ == "__main__":
    sys.path.insert(0, str(app_folder()))
    runpy.run_path(str(app_folder() / "worker.py"), run_name="__main__")
