"""Asks the brokers once more, to tell why they cannot be reached: aiokafka keeps the cause to its log."""

import asyncio
import ssl
from typing import Final

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from schemas.connection import KafkaConnection
from schemas.connection_faults import ASKS_FOR_SASL, ENDS_TLS, NOTHING_SAID, SPEAKS_TLS, in_words, is_bare

ANSWER_TIMEOUT_S: Final = 3.0
TLS_TIMEOUT_S: Final = 2.0


async def explain(error: BaseException, connection: KafkaConnection, right: str = "") -> str:
    """`Kafka at SERVERS: ` and why it cannot be reached or refuses us; within a few seconds.

    right: what the request needed, in Kafka's words, as `Read`.
    """
    if not is_bare(error):
        return f"Kafka at {connection.bootstrap_servers}: {in_words(error, connection, right)}"
    servers = [server.strip() for server in connection.bootstrap_servers.split(",")]
    causes = await asyncio.gather(*(_cause(server, connection) for server in servers))
    told = {server: cause for server, cause in zip(servers, causes, strict=True) if cause}
    if not told:  # it answers now
        return f"Kafka at {connection.bootstrap_servers}: {in_words(error, connection)}"
    if len(set(told.values())) == 1:
        return f"Kafka at {', '.join(told)}: {next(iter(told.values()))}"
    return "; ".join(f"Kafka at {server}: {cause}" for server, cause in told.items())


async def _cause(server: str, connection: KafkaConnection) -> str:
    """Why this server cannot be spoken to; empty when it can."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await _ask(host, int(port), connection)
    except (_MuteBrokerError, KafkaError, OSError, TimeoutError, ValueError, AssertionError) as error:
        return await _in_words(error, host, int(port), connection)
    return ""


async def _ask(host: str, port: int, connection: KafkaConnection) -> None:
    """What every client does first. A broker that wants a user takes the first question, and ends at the second."""
    arguments = connection.client_arguments()
    arguments.pop("bootstrap_servers")
    conn = await create_conn(host, port, request_timeout_ms=int(ANSWER_TIMEOUT_S * 1000), **arguments)
    try:
        await conn.send(MetadataRequest([]))
    except (KafkaError, OSError) as error:
        if is_bare(error):
            raise _MuteBrokerError(ASKS_FOR_SASL.format(protocol=connection.security_protocol)) from error
        raise
    finally:
        conn.close()


class _MuteBrokerError(Exception):
    """The broker took the first question, and ended at the second."""


async def _in_words(error: BaseException, host: str, port: int, connection: KafkaConnection) -> str:
    if isinstance(error, _MuteBrokerError) and "SASL" not in connection.security_protocol:
        return str(error.args[0])
    if is_bare(error) and not connection.security_protocol.endswith("SSL") and await _speaks_tls(host, port):
        return SPEAKS_TLS.format(protocol=connection.security_protocol)
    if isinstance(error, ConnectionResetError) and connection.security_protocol.endswith("SSL"):
        return ENDS_TLS.format(protocol=connection.security_protocol)
    words = in_words(error, connection)
    return NOTHING_SAID if words.endswith("closed") else words


async def _speaks_tls(host: str, port: int) -> bool:
    """Whether a TLS handshake gets an answer; whose certificate it is does not matter, nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(TLS_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True
