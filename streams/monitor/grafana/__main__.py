"""`python -m streams.monitor.grafana [--check]`: write the dashboard's JSON, or say whether the file is ours."""

import sys
from pathlib import Path
from typing import Final

from streams.monitor.grafana.dashboard import text

FILE: Final = Path(__file__).with_name("dashboard.json")

if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        is_ours = FILE.is_file() and FILE.read_text(encoding="utf-8") == text()
        print(f"{FILE.name} is {'what the code makes' if is_ours else 'old: run it without --check'}")
        sys.exit(not is_ours)
    FILE.write_text(text(), encoding="utf-8")
