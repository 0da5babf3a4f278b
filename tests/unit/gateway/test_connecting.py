"""Whatever keeps the gateway from Kafka is told by readyz, and it goes on trying."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.publishing.kafka import KafkaPublisher
from gateway.webhooks.kinds import TOPICS
from tests.support.requests import settings


class Starts:
    """A producer whose start raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def start(self) -> None:
        raise self._error

    async def stop(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("Server sent wrong signature!"), "authentication failed"),
        (AssertionError("out of the library"), "nobody listens there"),
        (TimeoutError(), "no answer within"),
    ],
)
async def test_an_error_that_nobody_foresaw_does_not_end_the_connecting(error: Exception, said: str) -> None:
    publisher: Any = KafkaPublisher(settings(kafka={"bootstrap_servers": "127.0.0.1:1"}), TOPICS)
    publisher._new_producer = lambda: Starts(error)
    publisher._spawn = lambda work: work.close()

    assert await publisher._connect() is None
    assert said in "; ".join(publisher.faults())


async def test_files_of_tls_that_are_gone_since_the_start_are_named() -> None:
    publisher: Any = KafkaPublisher(settings(), TOPICS)

    def gone() -> None:
        raise FileNotFoundError(2, "No such file or directory", "/tls/ca.pem")

    publisher._new_producer = gone

    assert await publisher._connect() is None
    assert "KAFKA_SSL_CAFILE" in publisher.faults()[0]
    assert "/tls/ca.pem" in publisher.faults()[0]
