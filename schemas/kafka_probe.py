"""Connects to the brokers once more, to find out why they cannot be reached: aiokafka only logs the cause."""

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
    """`Kafka at SERVERS: ` and why it cannot be reached, or refuses us. Takes a few seconds at most.

    right: the right that the request needed, as Kafka names it: `Read`.
    """
    if not is_bare(error):
        return f"Kafka at {connection.bootstrap_servers}: {in_words(error, connection, right)}"
    servers = [server.strip() for server in connection.bootstrap_servers.split(",")]
    causes = await asyncio.gather(*(_cause(server, connection) for server in servers))
    causes_by_server = {server: cause for server, cause in zip(servers, causes, strict=True) if cause}
    if not causes_by_server:  # it answers now
        return f"Kafka at {connection.bootstrap_servers}: {in_words(error, connection)}"
    if len(set(causes_by_server.values())) == 1:
        return f"Kafka at {', '.join(causes_by_server)}: {next(iter(causes_by_server.values()))}"
    return "; ".join(f"Kafka at {server}: {cause}" for server, cause in causes_by_server.items())


async def _cause(server: str, connection: KafkaConnection) -> str:
    """Why this server cannot be used; empty when it can."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await _connect(host, int(port), connection)
    except (_MuteBrokerError, KafkaError, OSError, TimeoutError, ValueError, AssertionError) as error:
        return await _in_words(error, host, int(port), connection)
    return ""


async def _connect(host: str, port: int, connection: KafkaConnection) -> None:
    """Connect and request metadata. A broker that needs a user accepts the connection and ends it at the request."""
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
    """The broker accepted the connection and ended it at the first request."""


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
    """Whether the port answers a TLS handshake. The certificate is not checked, as nothing is sent."""
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
