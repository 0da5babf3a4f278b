"""Tracing is off by default, takes OpenTelemetry's own variables, and refuses bad ones only where it is on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.settings import GatewaySettings
from schemas.errors import SettingsError
from schemas.runtime.tracing import SAMPLERS, TracingVariables
from streams.settings import WorkerSettings

ON = {"AIRUDDER_TRACING": "on"}
SECRET = "planted-token"
BAD = {
    "OTEL_SDK_DISABLED": "maybe",
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://user:word@collector:4318/v1/traces",
    "OTEL_EXPORTER_OTLP_HEADERS": SECRET,
    "OTEL_TRACES_SAMPLER": "jaeger_remote",
    "OTEL_BSP_MAX_QUEUE_SIZE": "0",
}
ROLES = (GatewaySettings, WorkerSettings)


def tracing(**environ: str) -> TracingVariables:
    return WorkerSettings.from_env(environ).tracing


@pytest.mark.parametrize("role", ROLES)
def test_every_bad_value_is_named_at_once_and_only_where_tracing_is_on(role: type[WorkerSettings]) -> None:
    with pytest.raises(SettingsError) as caught:
        role.from_env({**BAD, **ON})

    assert sorted(fault.split(":")[0] for fault in caught.value.faults) == sorted(BAD)
    assert SECRET not in str(caught.value)
    assert not role.from_env(BAD).tracing.is_on


@pytest.mark.parametrize(("ratio", "is_right"), [("0.01", True), ("1", True), ("1.01", False), ("one", False)])
def test_the_share_must_be_a_ratio_where_the_sampler_takes_one(ratio: str, is_right: bool) -> None:
    environ = {**ON, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio}
    if is_right:
        assert tracing(**environ).is_on
    else:
        with pytest.raises(SettingsError, match="OTEL_TRACES_SAMPLER_ARG: must be a ratio from 0 to 1"):
            tracing(**environ)


def test_an_unknown_value_of_ours_is_refused_and_a_misspelt_name_is_too() -> None:
    for environ in ({"AIRUDDER_TRACING": "sometimes"}, {"AIRUDDER_TRACE": "on"}):
        with pytest.raises(SettingsError, match="AIRUDDER_TRAC"):
            tracing(**environ)


@pytest.mark.parametrize("off", [{}, {**ON, "OTEL_SDK_DISABLED": "true"}, {**ON, "OTEL_TRACES_EXPORTER": "none"}])
def test_tracing_is_off_unless_it_is_turned_on_and_not_disabled(off: dict[str, str]) -> None:
    assert not tracing(**off).is_on
    assert tracing(**ON).is_on


def test_an_address_for_traces_wins_over_the_one_for_everything() -> None:
    base = {**ON, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}

    assert tracing(**ON).url == "http://localhost:4318/v1/traces"
    assert tracing(**base).url == "http://c:4318/v1/traces"
    assert tracing(**base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="https://d/t").url == "https://d/t"


def test_headers_are_a_secret() -> None:
    settings = WorkerSettings.from_env({**ON, "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={SECRET}, x = a=b"})

    assert settings.tracing.header_values == {"api-key": SECRET, "x": "a=b"}
    assert SECRET not in f"{settings!r}{settings.shown()}"


def test_every_sampler_that_is_named_is_there() -> None:
    from schemas.runtime.spans import Spans

    for sampler in SAMPLERS:
        Spans(tracing(**ON, OTEL_TRACES_SAMPLER=sampler), "worker", lambda outcome, spans: None).close()


def test_a_role_that_does_not_trace_imports_nothing_of_opentelemetry() -> None:
    program = """
import sys
import gateway.__main__, gateway.serving.server, gateway.serving.worker
import streams.__main__, streams.worker.main
from gateway.serving.process import ServingGateway
from gateway.settings import GatewaySettings
from schemas.runtime.tracing import start_spans
from streams.settings import WorkerSettings
ServingGateway(GatewaySettings.from_env({}))
assert start_spans(WorkerSettings.from_env({}).tracing, "worker", None) is None
assert [name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))] == []
start_spans(WorkerSettings.from_env({"AIRUDDER_TRACING": "1"}).tracing, "worker", lambda outcome, spans: None)
assert "opentelemetry.sdk.trace" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)

    assert done.stderr == ""
    assert done.returncode == 0
