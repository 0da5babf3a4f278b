"""A wall clock that jumps: Python imports this before anything else when its directory is on PYTHONPATH.

CLOCK_OFFSET_FILE: a file with the seconds to add, read at every look at the clock. The monotonic clock stays as it is.
"""

import os
import time
from pathlib import Path

_OFFSET = Path(os.environ["CLOCK_OFFSET_FILE"])
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + int(_OFFSET.read_text())
time.time_ns = lambda: _time_ns() + int(_OFFSET.read_text()) * 1_000_000_000
