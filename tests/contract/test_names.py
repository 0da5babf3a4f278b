"""Every public name is there: topics, keys, fields, settings, commands, metrics. The lists below are the contract.

Senders, subscribers, operators and acceptance tests rely on them, so they are written out here and not read from the
code. Adding a name is free; a failure here means that somebody outside would notice.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import typer.main
from starlette.routing import Match
from typer.core import TyperGroup

import gateway.__main__ as gateway_main
import streams.__main__ as streams_main
from gateway.webhooks.kinds import KINDS
from schemas.codec import schema_text
from schemas.headers import TraceContext, headers_for
from schemas.records.types import TYPES
from schemas.runtime.rules import SIGNATURE_SCHEMES
from schemas.runtime.settings import IN_FILES, NAMES
from schemas.signatures.schemes import SCHEME_NAMES
from schemas.topics import BY_NAME, DEFAULT_PARTITIONS, TOPICS, Topic
from streams.monitor.app import create_app
from streams.monitor.lag.metrics import lag_families
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.settings import MonitorSettings
from streams.rules.counts import OutcomeCounts

TOPIC_TABLE = [
    ("airudder.callbacks.v1", "call_id of the first detail, else event_id", "Callback", "delete"),
    ("airudder.quarantine.v1", "event_id", "QuarantinedRequest", "delete"),
    ("airudder.calls.v1", "call_id", "Call", "delete"),
    ("airudder.answers.v1", "call_id", "Answer", "delete"),
    ("airudder.call-attempts.v1", "final call's call_id", "CallAttempt", "delete"),
    ("airudder.workflow-outcomes.v1", "workflow_id|window start (epoch ms)", "WindowedOutcomes", "compact,delete"),
    ("airudder.sip-line-outcomes.v1", "sip_line|window start (epoch ms)", "WindowedOutcomes", "compact,delete"),
    ("airudder.late-calls.v1", "call_id", "Call", "delete"),
    ("airudder.dead-letters.v1", "key of the failed record", "DeadLetter", "delete"),
]
INTERNAL_TOPICS = ["airudder.outcomes-by-workflow.v1", "airudder.outcomes-by-sip-line.v1"]

FIELDS = {
    "Callback": """event_id received_at kind signature_scheme signature_key_id workflow_id workflow_name nodetask_id
        nodetask_name task_id task_name status created_at repeat_interval repeat_number robot_hash robot_method sip_line
        schedule_start_time schedule_end_time details extra""",
    "CallDetail": "ner_slots event_label case_id variables redial_calls extra",
    "Call": """record_id event_id call_id revision workflow_id workflow_name nodetask_id nodetask_name task_id task_name
        sip_line detail_id case_id callee caller_number result result_label hangup_type ring_type disposition duration_s
        ring_time_s talk_round call_times started_at ended_at received_at robot_hash intention_description ner_slots
        event_labels variables answer_count attempt_count ended_at_source task_status task_created_at repeat_interval
        repeat_number robot_method schedule_start_at schedule_end_at extra""",
    "Answer": """record_id event_id call_id revision position workflow_id sip_line case_id callee question_name
        question_content question_type status answer answer_text answer_text_slot var verification_results
        whether_answer call_ended_at call_ended_at_source answer_count state""",
    "CallAttempt": """record_id event_id final_call_id call_id revision attempt_number is_final workflow_id sip_line
        callee caller_number ring_type ring_time_s hangup_type result_label disposition duration_s started_at
        attempt_count""",
    "WindowedOutcomes": """dimension value window_start_at window_end_at revision is_final calls answered attempts
        results result_labels hangup_types ring_types dispositions attempt_dispositions duration_s_sum ring_time_s_sum
        talk_round_sum questions short_calls silent_answers engaged_calls answered_on_attempt by_workflow
        duration_s_histogram answered_ring_time_s_histogram unanswered_ring_time_s_histogram""",
    "QuestionOutcomes": "completed skipped broke_off not_reached",
    "LineWorkflowOutcomes": "attempts answered delivered pre_alert_failure",
    "QuarantinedRequest": "event_id received_at reason detail method path headers body remote_address",
    "DeadLetter": "source_topic source_partition source_offset key value headers reason detail failed_at",
}

SETTINGS = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_CAFILE",
    "KAFKA_SSL_CERTFILE",
    "KAFKA_SSL_KEYFILE",
    "KAFKA_SSL_PASSWORD",
    "KAFKA_COMPRESSION_TYPE",
    "SCHEMA_REGISTRY_URL",
    "SCHEMA_REGISTRY_USERNAME",
    "SCHEMA_REGISTRY_PASSWORD",
    "SCHEMA_REGISTRY_CAFILE",
    "AIRUDDER_SIGNING_KEYS_FILE",
    "AIRUDDER_TOPIC_PREFIX",
    "AIRUDDER_SIGNING_KEYS",
    "AIRUDDER_ALLOW_DEFAULT_KEY",
    "AIRUDDER_SIGNATURE_HEADER",
    "AIRUDDER_SIGNATURE_SCHEME",
    "AIRUDDER_SIGNATURE_MODE",
    "AIRUDDER_ACCOUNT_TIMEZONE",
    "GATEWAY_HOST",
    "GATEWAY_PORT",
    "GATEWAY_OPS_HOST",
    "GATEWAY_OPS_PORT",
    "GATEWAY_MAX_BODY_BYTES",
    "GATEWAY_PUBLISH_TIMEOUT_S",
    "GATEWAY_SPOOL_DIR",
    "STREAMS_APP_ID",
    "STREAMS_DATA_DIR",
    "STREAMS_WINDOW_S",
    "STREAMS_GRACE_S",
    "STREAMS_DEDUP_DAYS",
    "STREAMS_OPS_PORT",
    "MONITOR_HOST",
    "MONITOR_PORT",
    "MONITOR_GROUPS",
    "MONITOR_HISTORY_DAYS",
    "MONITOR_DATA_DIR",
    "MONITOR_GATEWAY_URLS",
    "MONITOR_WORKER_URLS",
    "MONITOR_SHOW_RECORDS",
]

SCHEMES = [
    "auto",
    "hmac-sha256",
    "hmac-sha1",
    "hmac-md5",
    "sorted-md5",
    "sorted-hmac-sha256",
    "body-key-md5",
    "body-key-sha256",
    "standard-webhooks",
]

GATEWAY_COMMANDS = [
    "serve",
    "check-config",
    "send",
    "simulate",
    "which-scheme",
    "quarantine list",
    "quarantine show",
    "quarantine reverify",
    "quarantine replay",
    "import",
]
STREAMS_COMMANDS = [
    "up",
    "worker",
    "monitor",
    "topics check",
    "topics apply",
    "dead-letters list",
    "dead-letters show",
    "dead-letters replay",
    "recount",
    "lag",
    "tail",
    "trace-call",
    "replay",
]
UP_OPTIONS = [
    "--demo",
    "--data-dir",
    "--kafka-port",
    "--registry-port",
    "--gateway-port",
    "--gateway-ops-port",
    "--monitor-port",
]


# -- topics


@pytest.mark.parametrize(("name", "key", "record", "cleanup"), TOPIC_TABLE)
def test_a_topic_is_as_the_contract_has_it(name: str, key: str, record: str, cleanup: str) -> None:
    topic = BY_NAME[name]

    assert (topic.key, topic.record, topic.cleanup, topic.subject) == (key, record, cleanup, f"{name}-value")
    assert topic.is_output


@pytest.mark.parametrize("name", INTERNAL_TOPICS)
def test_an_internal_topic_is_there_and_is_not_for_subscribers(name: str) -> None:
    assert not BY_NAME[name].is_output


def test_a_topic_is_declared_once() -> None:
    assert len(BY_NAME) == len(TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_records_timestamp_is_its_arrival(topic: Topic) -> None:
    config = topic.config()

    assert (config["message.timestamp.type"], config["cleanup.policy"]) == ("LogAppendTime", topic.cleanup)
    assert int(config["retention.ms"]) > 0


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topics_name_is_in_our_style(topic: Topic) -> None:
    prefix, subject, version = topic.name.split(".")

    assert (prefix, version, subject) == ("airudder", "v1", subject.lower().replace("_", "-"))


def test_twelve_partitions_are_the_default() -> None:
    assert DEFAULT_PARTITIONS == 12


# -- records


@pytest.mark.parametrize("record", FIELDS)
def test_a_record_has_the_fields_that_are_required_at_least(record: str) -> None:
    fields = {field.name for field in msgspec.structs.fields(TYPES[record])}

    assert sorted(set(FIELDS[record].split()) - fields) == []


def test_a_window_keeps_histograms_of_duration_and_of_ring_time() -> None:
    names = OutcomeCounts().fields().keys()

    assert [name for name in names if name.endswith("_histogram")] == [
        "duration_s_histogram",
        "answered_ring_time_s_histogram",
        "unanswered_ring_time_s_histogram",
    ]


def test_a_detail_id_is_a_long() -> None:
    (field,) = [one for one in msgspec.json.decode(schema_text("Call"))["fields"] if one["name"] == "detail_id"]

    assert field["type"] == "long"


def test_every_record_carries_the_headers_of_the_contract() -> None:
    names = {
        name for name, _ in headers_for("Call", "1" * 32, "/x", 0, TraceContext("2" * 32, "01", b"x=y"), synthetic=True)
    }
    required = "ce_specversion ce_id ce_source ce_type ce_time content-type traceparent synthetic"

    assert set(required.split()) <= names


# -- settings


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_contract_is_known(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize("name", ["KAFKA_SASL_PASSWORD", "KAFKA_SSL_PASSWORD", "SCHEMA_REGISTRY_PASSWORD"])
def test_a_password_may_be_in_a_file(name: str) -> None:
    assert name in IN_FILES


def test_the_signature_schemes_are_those_of_the_contract() -> None:
    assert set(SCHEMES) <= set(SCHEME_NAMES)
    assert set(SIGNATURE_SCHEMES) == set(SCHEME_NAMES)


# -- commands


def commands_of(command: object, path: str = "") -> Iterator[str]:
    if not isinstance(command, TyperGroup):
        yield path
        return
    for name, inner in command.commands.items():
        yield from commands_of(inner, f"{path} {name}".strip())


@pytest.mark.parametrize("name", GATEWAY_COMMANDS)
def test_a_command_of_the_gateway_is_there(name: str) -> None:
    assert name in set(commands_of(typer.main.get_command(gateway_main.app)))


@pytest.mark.parametrize("name", STREAMS_COMMANDS)
def test_a_command_of_the_streams_is_there(name: str) -> None:
    assert name in set(commands_of(typer.main.get_command(streams_main.app)))


@pytest.mark.parametrize("option", UP_OPTIONS)
def test_up_takes_the_options_of_the_contract(option: str) -> None:
    root = typer.main.get_command(streams_main.app)
    assert isinstance(root, TyperGroup)
    options = {name for parameter in root.commands["up"].params for name in parameter.opts}

    assert option in options


# -- over HTTP


def test_call_completions_are_posted_to_the_contracts_path() -> None:
    assert "/webhooks/airudder/call-completion" in {kind.path for kind in KINDS}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/health",
        "/api/lag",
        "/api/outcomes/workflows",
        "/api/outcomes/workflows/wf-1",
        "/api/outcomes/sip-lines",
        "/api/outcomes/sip-lines/line-1",
        "/api/events",
        "/metrics",
        "/livez",
        "/readyz",
    ],
)
def test_the_monitor_serves_a_path_of_the_contract(path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": path}

    assert Match.FULL in {route.matches(scope)[0] for route in create_app(MonitorSettings()).routes}


@pytest.mark.parametrize("name", ["kafka_consumergroup_lag", "kafka_consumergroup_lag_seconds"])
def test_lag_is_reported_by_group_topic_and_partition(name: str) -> None:
    row = PartitionLag("airudder.callbacks.v1", 3, 10, 0, 12, 2, 0.8, "ok")
    families = lag_families(LagSnapshot(0, (GroupLag("airudder-streams", "Stable", 1, (row,), {}),), {}, {}, {}))

    (sample,) = [sample for family in families for sample in family.samples if sample.name == name]

    assert sample.labels == {
        "consumergroup": "airudder-streams",
        "topic": "airudder.callbacks.v1",
        "partition": "3",
    }
