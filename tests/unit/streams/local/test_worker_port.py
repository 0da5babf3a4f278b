"""The worker's ops port under `up`: 8002 as everywhere else, but never a reason not to start."""

from __future__ import annotations

import pytest

from streams.local import launcher
from streams.local.launcher import UpOptions, worker_port
from streams.settings import UpSettings

SERVICES = {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092", "SCHEMA_REGISTRY_URL": "http://localhost:8081"}


@pytest.mark.parametrize(
    ("options", "environ", "is_free", "port"),
    [
        (UpOptions(), {}, True, 8002),
        (UpOptions(), {}, False, 0),
        (UpOptions(gateway_ops_port=0), {}, True, 0),
        (UpOptions(gateway_port=8002), {}, True, 0),
        (UpOptions(), {"STREAMS_OPS_PORT": "9002"}, False, 9002),
        (UpOptions(), {"STREAMS_OPS_PORT": "8002"}, False, 8002),
        (UpOptions(), {"STREAMS_OPS_PORT": "0"}, True, 0),
    ],
)
def test_the_workers_port(
    options: UpOptions, environ: dict[str, str], is_free: bool, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "is_free", lambda port, host: is_free)

    assert worker_port(options, UpSettings.from_env(SERVICES | environ)) == port
