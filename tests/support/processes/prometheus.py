"""A real Prometheus on a free port, scraping the roles of a running system every second."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from streams.local.ports import free_ports
from tests.support.toolchains import Toolchain
from tests.support.waiting import wait_until_true

PROMETHEUS = Toolchain(("prometheus", "promtool"), "apt-get install --no-install-recommends prometheus")
READY_S = 60.0


class Prometheus:
    """One running Prometheus. targets: host and port by role; rule_files: as in docker-compose.yml."""

    def __init__(self, scratch: Path, targets: Mapping[str, str], rule_files: list[Path]) -> None:
        PROMETHEUS.require()
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        jobs = [{"job_name": role, "static_configs": [{"targets": [target]}]} for role, target in targets.items()]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
            "rule_files": [str(file) for file in rule_files],
            "scrape_configs": jobs,
        }
        (scratch / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._log = scratch / "prometheus.log"
        command = [
            "prometheus",
            f"--config.file={scratch / 'prometheus.yml'}",
            f"--storage.tsdb.path={scratch / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def wait_until_scraped(self, roles: int) -> None:
        """Wait until every role has been scraped."""
        wait_until_true(lambda: self._is_up(roles), READY_S, f"{roles} roles scraped")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now. Raises: AssertionError when Prometheus refuses it."""
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': expression})}", timeout=10) as answer:
            body = json.load(answer)
        assert body["status"] == "success", body
        found: list[dict[str, Any]] = body["data"]["result"]
        return found

    def get(self, path: str) -> Any:
        """What its API answers."""
        with urlopen(f"{self.url}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def stop(self) -> None:
        """Stop it. Repeat: safe."""
        self.process.terminate()
        self.process.wait(30)

    def _is_up(self, roles: int) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            return len(self.query("up == 1")) == roles
        except OSError:
            return False
