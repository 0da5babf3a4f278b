"""The Faust app and its settings."""

from typing import Any, Final

import faust

from schemas.topics import MAX_KEPT_BYTES
from streams.settings import KafkaSettings, WorkerSettings
from streams.worker.identity import identity_of
from streams.worker.tables import StateTable
from streams.worker.transport import RunTransport

BUFFERED_RUNS: Final = 8
MAX_POLL_RECORDS: Final = 1000
BATCH_BYTES: Final = 512 * 1024
SESSION_TIMEOUT_S: Final = 15.0
COMMIT_INTERVAL_S: Final = 1.0


def build_faust_app(settings: WorkerSettings) -> Any:
    """A Faust app with our transport and tables, and nothing bound to it yet. Opens no socket."""
    identity = identity_of(settings.group, settings.data_dir)
    app = faust.App(
        settings.group,
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings.kafka),
        store="rocksdb://",
        datadir=settings.data_dir / settings.group,  # tables of another group are none of ours
        Table=StateTable,
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        processing_guarantee="at_least_once",
        table_standby_replicas=0,
        stream_wait_empty=True,
        stream_buffer_maxsize=BUFFERED_RUNS,
        stream_recovery_delay=0.0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=identity.name,
        broker_client_id=identity.client_id,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=SESSION_TIMEOUT_S / 5,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_max_poll_records=MAX_POLL_RECORDS,
        producer_compression_type=settings.kafka.producer_compression,
        producer_linger=0.005,
        producer_max_batch_size=BATCH_BYTES,
        producer_max_request_size=MAX_KEPT_BYTES,
    )
    app.transport = app.producer_transport = RunTransport(app.conf.broker_consumer, app)
    return app


def _credentials(kafka: KafkaSettings) -> Any:
    context = kafka.ssl_context() if kafka.uses_tls else None
    if kafka.uses_sasl:
        arguments = kafka.client_arguments()
        return faust.SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            mechanism=arguments["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None
