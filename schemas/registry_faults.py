"""Messages for an unreachable or refusing schema registry, with the setting to change. Pure."""

import ssl
from typing import Final
from urllib.parse import urlsplit

from schemas.connection import RegistryConnection, without_credentials
from schemas.connection_faults import chain

_UNAUTHENTICATED: Final = 401
_FORBIDDEN: Final = 403
_NO_PATH: Final = 404


def answer_in_words(status: int, message: str, connection: RegistryConnection) -> str:
    """The message for an answer with an error status."""
    where = f"schema registry at {without_credentials(connection.url)}"
    user = _user(connection)
    if status == _NO_PATH:
        return (
            f"{where}: no such path at the registry (404): is SCHEMA_REGISTRY_URL right? Apicurio's ends in "
            "/apis/ccompat/v7"
        )
    if status == _UNAUTHENTICATED and not user:
        return f"{where}: it asks for a user (401): set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD"
    if status == _UNAUTHENTICATED:
        return (
            f"{where}: authentication failed for user {user} (401): see SCHEMA_REGISTRY_USERNAME and "
            "SCHEMA_REGISTRY_PASSWORD"
        )
    if status == _FORBIDDEN:
        return f"{where}: {f'user {user}' if user else 'nobody without a user'} may not do this (403): grant it there"
    return f"{where}: {status} {message}".rstrip()


def silence_in_words(error: BaseException, connection: RegistryConnection) -> str:
    """The message for a request without an answer."""
    where = f"schema registry at {without_credentials(connection.url)}"
    for cause in chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "certificate verify failed"
            return f"{where}: TLS: its certificate does not verify ({why}): see SCHEMA_REGISTRY_CAFILE"
        if isinstance(cause, ssl.SSLError):
            return f"{where}: TLS failed ({cause.reason}): does the port speak TLS, as https:// says?"
        if isinstance(cause, ConnectionRefusedError):
            return f"{where}: nobody listens there: is it running, and SCHEMA_REGISTRY_URL right?"
        if isinstance(cause, OSError) and (cause.errno or 0) < 0:
            return f"{where}: the host's name is unknown: is SCHEMA_REGISTRY_URL right?"
    name = type(error).__name__
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return f"{where}: no answer in time"
    hint = (
        "" if urlsplit(connection.url).scheme == "https" else ": does the port speak TLS, while the URL says http://?"
    )
    return f"{where}: {name}" + (hint if "RemoteProtocol" in name or "Read" in name else "")


def _user(connection: RegistryConnection) -> str:
    return connection.username or urlsplit(connection.url.split(",")[0]).username or ""
