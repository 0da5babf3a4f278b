"""What a figure was measured on, printed with it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

PACKAGES = ("faust-streaming", "aiokafka", "fastavro", "msgspec", "rocksdict", "uvloop", "starlette", "uvicorn")


def describe() -> str:
    """One line: cores, Python, versions of what matters."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores (load {load:.1f} at the start), Python {platform.python_version()}, {versions}"
