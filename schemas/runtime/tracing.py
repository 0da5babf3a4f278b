"""The settings of tracing: whether spans are recorded, which traces, and where they go.

The OTEL_ names are OpenTelemetry's and shared with other software. So their values are checked only where tracing is
on, and other OTEL_ names are the SDK's own affair: it reads them by its own rules.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Literal, get_args

from schemas.connection import Variables
from schemas.errors import SettingsError
from schemas.runtime.build import Role
from schemas.runtime.rules import Secret, Text, is_url, setting

if TYPE_CHECKING:
    from schemas.runtime.spans import Spans

SAMPLERS: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
SpanOutcome = Literal["exported", "failed", "dropped"]
CountSpans = Callable[[SpanOutcome, int], None]
SPAN_OUTCOMES: Final = get_args(SpanOutcome)
MAX_QUEUE: Final = 1_000_000
_ANY: Final = "http://localhost"
_ENDPOINT_FAULT: Final = "must start with http:// or https:// and name a host, without user and password"


class TracingVariables(Variables):
    """Spans by OpenTelemetry, sent by OTLP over HTTP."""

    is_wanted: bool = setting("AIRUDDER_TRACING", False)
    sdk_disabled: Text = setting("OTEL_SDK_DISABLED", "false")
    exporter: Text = setting("OTEL_TRACES_EXPORTER", "otlp")
    protocol: Text = setting("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    endpoint: Text = setting("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    traces_endpoint: Text | None = setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    headers: Secret | None = setting("OTEL_EXPORTER_OTLP_HEADERS", may_be_in_file=True)
    sampler: Text = setting("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    sampler_arg: Text = setting("OTEL_TRACES_SAMPLER_ARG", "1.0")
    service_name: Text | None = setting("OTEL_SERVICE_NAME")
    max_queue: Text = setting("OTEL_BSP_MAX_QUEUE_SIZE", "2048")

    @property
    def is_on(self) -> bool:
        """Whether spans are recorded."""
        return self.is_wanted and self.sdk_disabled.lower() == "false" and self.exporter.lower() == "otlp"

    @property
    def url(self) -> str:
        """Where spans are posted."""
        return self.traces_endpoint or f"{self.endpoint.removesuffix('/')}/v1/traces"

    @property
    def header_values(self) -> dict[str, str]:
        """The headers of every request to `url`. A secret, mostly."""
        text = self.headers.get_secret_value() if self.headers else ""
        pairs = (part.split("=", 1) for part in text.split(",") if part.strip())
        return {name.strip(): value.strip() for name, value in pairs}

    def contradictions(self) -> list[str]:
        """The faults of the OTEL_ values, where they are used."""
        return [f"{name}: {fault}" for name, is_right, fault in self._rules() if not is_right] if self.is_wanted else []

    def _rules(self) -> Iterator[tuple[str, bool, str]]:
        yield "OTEL_SDK_DISABLED", self.sdk_disabled.lower() in ("true", "false"), "must be true or false"
        yield "OTEL_TRACES_EXPORTER", self.exporter.lower() in ("otlp", "none"), "must be otlp or none"
        yield "OTEL_EXPORTER_OTLP_PROTOCOL", self.protocol.lower() == "http/protobuf", "must be http/protobuf"
        yield "OTEL_EXPORTER_OTLP_ENDPOINT", _is_endpoint(self.endpoint), _ENDPOINT_FAULT
        yield "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", _is_endpoint(self.traces_endpoint or _ANY), _ENDPOINT_FAULT
        yield "OTEL_EXPORTER_OTLP_HEADERS", self._are_headers(), "must be name=value[,name=value]"
        yield "OTEL_TRACES_SAMPLER", self.sampler.lower() in SAMPLERS, f"must be one of {', '.join(SAMPLERS)}"
        yield "OTEL_TRACES_SAMPLER_ARG", self._is_ratio(), "must be a ratio from 0 to 1"
        yield "OTEL_BSP_MAX_QUEUE_SIZE", self._is_size(), f"must be a whole number from 1 to {MAX_QUEUE}"

    def _are_headers(self) -> bool:
        text = self.headers.get_secret_value() if self.headers else ""
        return all("=" in part.lstrip(" =") for part in text.split(",") if part.strip())

    def _is_ratio(self) -> bool:
        if not self.sampler.lower().endswith("traceidratio"):
            return True
        try:
            return 0 <= float(self.sampler_arg) <= 1
        except ValueError:
            return False

    def _is_size(self) -> bool:
        return self.max_queue.isdecimal() and 0 < int(self.max_queue) <= MAX_QUEUE


def _is_endpoint(text: str) -> bool:
    return is_url(text) and "@" not in text


def start_spans(settings: TracingVariables, role: Role, count: CountSpans) -> "Spans | None":
    """The spans of a role, to be closed in the end. None where tracing is off: then OpenTelemetry is not imported.

    count: called with what became of how many spans, from any thread.
    Raises: SettingsError when the SDK refuses a setting that it reads itself.
    """
    if not settings.is_on:
        return None
    from schemas.runtime.spans import Spans

    try:
        return Spans(settings, role, count)
    except ValueError as error:
        raise SettingsError([f"OTEL_: {error}"]) from error
