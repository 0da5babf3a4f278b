"""Requests to a Confluent-compatible schema registry: bounded in time and size, with errors of our own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import httpx2
from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, SchemaRegistryError

from schemas.connection import RegistryConnection
from schemas.errors import IncompatibleSchemaError, RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.registry_faults import answer_in_words, silence_in_words

REQUEST_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 20.0  # with all retries; the client's own timeout bounds each read, not the whole answer
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_RETRIES: Final = 2
_MAX_ID: Final = 2**32 - 1
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_NOT_FOUND_CODES: Final = range(40400, 40500)  # the registry's own error codes; a 404 of another server has none
_CAN_PASS: Final = (408, 429)
_REFUSED: Final = range(400, 500)

# The client's methods that a role calls; a tool's others are `other`.
OPERATIONS: Final = ("lookup_schema", "get_schema", "other")
REQUEST_OUTCOMES: Final = ("ok", "not_found", "refused", "unavailable")

T = TypeVar("T")


class RegistryClient:
    """confluent-kafka's client behind `request`. One per event loop."""

    def __init__(self, connection: RegistryConnection) -> None:
        self._where = connection
        bounds = {"timeout": REQUEST_TIMEOUT_S, "max.retries": _RETRIES, "retries.wait.ms": 200}
        self.api = AsyncSchemaRegistryClient({**connection.client_arguments(), **bounds})
        self.api._rest_client.session.event_hooks = {"response": [_bound]}
        self.on_request: Callable[[str, str], None] = lambda operation, outcome: None

    async def request(self, request: Awaitable[T]) -> T:
        """The answer to one call of `api`.

        Raises: UnknownSchemaError for the registry's own 404, RegistryError when it refuses, RegistryUnavailableError.
        """
        name = getattr(request, "__name__", "")
        try:
            answer = await self._request(request)
        except (UnknownSchemaError, RegistryError) as error:
            self._note(name, _outcome(error))
            raise
        self._note(name, "ok")
        return answer

    def _note(self, name: str, outcome: str) -> None:
        self.on_request(name if name in OPERATIONS else "other", outcome)

    async def _request(self, request: Awaitable[T]) -> T:
        await self.api.clear_caches()  # type: ignore[no-untyped-call]  # it caches invalid answers too
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await request
        except SchemaRegistryError as error:
            raise _translate(error, self._where) from error
        except (httpx2.HTTPError, OSError) as error:
            raise RegistryUnavailableError(silence_in_words(error, self._where)) from error
        except Exception as error:  # the client raises any error for an answer of another server
            raise RegistryUnavailableError(
                f"what answers at SCHEMA_REGISTRY_URL is no schema registry: {type(error).__name__}"
            ) from error

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self.api.aclose()


def _outcome(error: Exception) -> str:
    if isinstance(error, UnknownSchemaError):
        return "not_found"
    return "unavailable" if isinstance(error, RegistryUnavailableError) else "refused"


def checked_id(value: Any) -> int:
    """A schema id of an answer. Raises: RegistryUnavailableError when it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_ID:
        raise RegistryUnavailableError("what answers at SCHEMA_REGISTRY_URL is no schema registry: it gives no id")
    return value


def _translate(error: SchemaRegistryError, where: RegistryConnection) -> Exception:
    """The client's error as one of ours. The registry's own 404 and its refusals are final; the rest may pass."""
    status = error.http_status_code
    if status == _NOT_FOUND and error.error_code in _NOT_FOUND_CODES:
        return UnknownSchemaError("the schema registry does not know this id")
    if status == _CONFLICT:
        return IncompatibleSchemaError(answer_in_words(status, "refused", where))
    if status in _REFUSED and status not in (_NOT_FOUND, *_CAN_PASS):
        return RegistryError(answer_in_words(status, f"refused: {error.error_message}", where))
    return RegistryUnavailableError(answer_in_words(status, "has trouble", where))


class _BoundedStream(httpx2.AsyncByteStream):
    """A response's body up to MAX_ANSWER_BYTES."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise httpx2.ReadError(f"over {MAX_ANSWER_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: Any) -> None:
    response.stream = _BoundedStream(response.stream)
