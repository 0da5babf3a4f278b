"""Messages for an unreachable or refusing Kafka: the cause, the resource, and the setting to change. Pure.

aiokafka gives most causes as the cause of another error, or as a number. It only logs some of them; for these
`schemas/kafka_probe.py` connects once more.
"""

import ssl
from collections.abc import Iterator
from typing import Final

from aiokafka import errors as kafka

from schemas.connection import KafkaConnection

NOTHING_SAID: Final = "the broker closes the connection without a word"
SPEAKS_TLS: Final = (
    "the port speaks TLS, but KAFKA_SECURITY_PROTOCOL={protocol} does not: set it to SSL or SASL_SSL, or take another "
    "port"
)
SPEAKS_NO_TLS: Final = (
    "the port does not speak TLS, but KAFKA_SECURITY_PROTOCOL={protocol} does: set it to PLAINTEXT or SASL_PLAINTEXT, "
    "or take another port"
)
ENDS_TLS: Final = (
    "the broker ends the connection within the TLS handshake: does the port speak TLS, as "
    "KAFKA_SECURITY_PROTOCOL={protocol} says?"
)
ASKS_FOR_SASL: Final = (
    "the broker ends the connection at the first request: does the port ask for a user (SASL), while "
    "KAFKA_SECURITY_PROTOCOL={protocol} gives none?"
)
_REFUSALS: Final = (
    kafka.TopicAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.ClusterAuthorizationFailedError,
    kafka.TransactionalIdAuthorizationFailed,
)
_NO_TLS_REASONS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF", "HTTP_REQUEST")


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, latest first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def is_bare(error: BaseException) -> bool:
    """Whether the error has no cause: aiokafka logs the cause and raises another error."""
    return not any(_words(cause, None) for cause in chain(error))


def in_words(error: BaseException, connection: KafkaConnection, right: str = "") -> str:
    """The cause and its remedy; the text of the error when neither is known. Never a secret.

    right: what the request needed, in Kafka's words, as `Write`.
    """
    said = (words for cause in chain(error) if (words := _words(cause, connection, right)))
    return next(said, "") or _own_words(error)


def principal(connection: KafkaConnection) -> str:
    """Our user at the broker, as far as the settings say."""
    if connection.security_protocol.startswith("SASL"):
        return f"User:{connection.sasl_username}"
    if connection.security_protocol == "SSL" and connection.ssl_certfile:
        return f"the user of the certificate {connection.ssl_certfile}"
    return "User:ANONYMOUS"


def missing_right(right: str, resource: str, connection: KafkaConnection) -> str:
    """The message for one missing right. right: Kafka's name, as `Read`. resource: as `group airudder-streams`."""
    who = principal(connection)
    return f"{who} has not the right {right} on {resource}: grant it to {who} at the broker (an ACL)"


def hidden_topic(name: str) -> str:
    """The message for a topic that the broker does not list. Kafka hides a topic without the right Describe."""
    return (
        f"topic {name} is missing, or hidden from us without the right Describe on it: run "
        "`python -m streams topics apply`, or grant the right"
    )


def is_refusal(error: BaseException) -> bool:
    """Whether Kafka refused the request for lack of a right. A retry does not help."""
    return any(isinstance(cause, _REFUSALS) for cause in chain(error))


def _words(error: BaseException, connection: KafkaConnection | None, right: str = "") -> str:
    """The message for one error of the chain; empty when it gives no cause."""
    who = f"user {connection.sasl_username} by mechanism {connection.sasl_mechanism}" if connection else "us"
    protocol = connection.security_protocol if connection else ""
    match error:
        case ssl.SSLError():
            return _tls_words(error, connection)
        case kafka.SaslAuthenticationFailed():
            return f"authentication failed for {who}: see KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and _MECHANISM"
        case kafka.UnsupportedSaslMechanismError():
            wanted = connection.sasl_mechanism if connection else ""
            return f"the broker does not take KAFKA_SASL_MECHANISM={wanted} at this port: set one that it takes"
        case kafka.IllegalSaslStateError():
            return f"the port asks for no user (SASL), but KAFKA_SECURITY_PROTOCOL={protocol} gives one"
        case kafka.TopicAuthorizationFailedError() | kafka.GroupAuthorizationFailedError():
            return _refused_words(error, connection, right)
        case kafka.ClusterAuthorizationFailedError():
            return missing_right(right or "that this needs", "the cluster", connection) if connection else "no right"
        case ConnectionRefusedError():
            return "nobody listens there: is Kafka running, and KAFKA_BOOTSTRAP_SERVERS right?"
        case OSError() if (error.errno or 0) < 0 or type(error).__name__ == "gaierror":
            return "the host's name is unknown: is KAFKA_BOOTSTRAP_SERVERS right?"
        case ValueError() if "signature" in str(error) or "nonce" in str(error):
            return f"authentication failed for {who}: the broker does not know KAFKA_SASL_PASSWORD"
        case EOFError():
            partial = getattr(error, "partial", b"") or b""
            return SPEAKS_TLS.format(protocol=protocol) if partial[:2] in (b"\x15\x03", b"\x16\x03") else ""
        case _:
            return ""


def _tls_words(error: ssl.SSLError, connection: KafkaConnection | None) -> str:
    reason = (error.reason or "").upper()
    protocol = connection.security_protocol if connection else ""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "certificate verify failed"
        if "ostname" in why or "IP address" in why:
            return f"TLS: {why}: name the broker in KAFKA_BOOTSTRAP_SERVERS as its certificate does"
        return f"TLS: the broker's certificate does not verify ({why}): is KAFKA_SSL_CAFILE the one that signed it?"
    if "ALERT" in reason:
        alert = reason.lower().replace("_", " ")
        if connection is not None and not connection.ssl_certfile:
            return f"TLS: the broker asks for a client certificate ({alert}): set KAFKA_SSL_CERTFILE and _KEYFILE"
        return f"TLS: the broker refuses KAFKA_SSL_CERTFILE ({alert}): was it signed by an authority that it trusts?"
    if any(word in reason for word in _NO_TLS_REASONS):
        return SPEAKS_NO_TLS.format(protocol=protocol)
    return f"TLS: {reason.lower().replace('_', ' ') or 'failed'}"


def _refused_words(error: BaseException, connection: KafkaConnection | None, right: str) -> str:
    """The message for a refused topic or group. The right depends on the request."""
    is_group = isinstance(error, kafka.GroupAuthorizationFailedError)
    named = [str(item) for arg in error.args for item in ([arg] if isinstance(arg, str) else _flat(arg))]
    resource = f"{'group' if is_group else 'topic'} {', '.join(sorted(named)) or '(the broker does not name it)'}"
    right = right or ("Read" if is_group else "Read, Write or Describe")
    return missing_right(right, resource, connection) if connection else resource


def _flat(argument: object) -> list[object]:
    return list(argument) if isinstance(argument, (set, frozenset, list, tuple)) else []


def _own_words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time: the broker hangs, or something on the way swallows what we send"
    text = str(error)
    name = type(error).__name__
    return name if not text or text == name else text if text.startswith(name) else f"{name}: {text}"
