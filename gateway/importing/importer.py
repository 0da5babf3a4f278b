"""Publishes bodies that came another way: read as the gateway reads them, under the ids that it would give them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

from gateway.errors import BodyTooLargeError, MalformedBodyError, RecordTooLargeError
from gateway.importing.bodies import Body
from gateway.importing.state import ImportState
from gateway.limits import Pace
from gateway.publishing.publisher import Publisher
from gateway.webhooks.kinds import Kind
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope
from schemas.headers import Headers, trace_of
from schemas.records.record import Record

SCHEME: Final = "import"  # nobody verified a signature: whoever may read the files vouches for them


class Read(NamedTuple):
    """One body as it is published."""

    body: Body
    key: str
    record: Record
    headers: Headers


@dataclass
class Outcome:
    """What became of the lines so far. done: by an earlier run. deviations: paths, and what is there instead."""

    lines: int = 0
    published: int = 0
    refused: int = 0
    done: int = 0
    deviations: set[tuple[str, str]] = field(default_factory=set)


class Importer:
    """Imports the bodies of one webhook, at most `rate` a second.

    on_refused: is told of each body that is none of this webhook, or too large, with the reason and without a value.
    """

    def __init__(
        self,
        kind: Kind[Any],
        publisher: Publisher | None,
        state: ImportState,
        rate: float | None,
        max_body_bytes: int,
        on_refused: Callable[[Body, str], None],
    ) -> None:
        """publisher: None for a dry run, which reads everything and publishes nothing."""
        self._kind = kind
        self._publisher = publisher
        self._state = state
        self._pace = Pace(rate)
        self._max_body_bytes = max_body_bytes
        self._on_refused = on_refused
        self.outcome = Outcome()

    async def run(self, bodies: Iterable[Body]) -> AsyncIterator[Body]:
        """Import in order. Yields the last body that is done; a batch is done once the broker has acknowledged it.

        Raises: PublishError when Kafka does not acknowledge. Repeat: safe, since equal bodies have equal ids.
        """
        batch: dict[str, Read] = {}  # by key: records of one key go one after the other, so they keep their order
        last: Body | None = None
        for body in bodies:
            self.outcome.lines += 1
            if self._state.is_done(body):
                self.outcome.done += 1
                continue
            read = self._read(body)
            if last and read and (len(batch) >= self._pace.batch or read.key in batch):
                yield await self._finish(batch.values(), last)
                batch = {}
            last = body
            if read:
                batch[read.key] = read
        self._state.check()
        if last:
            yield await self._finish(batch.values(), last)

    def _read(self, body: Body) -> Read | None:
        """The record of a body; None when it is refused."""
        event_id = sha256(body.body).hexdigest()
        envelope = Envelope(event_id, time.time_ns() // 1_000_000, SCHEME, None)
        deviations: Deviations = defaultdict(int)
        try:
            if len(body.body) > self._max_body_bytes:
                raise BodyTooLargeError(f"{len(body.body)} bytes are over GATEWAY_MAX_BODY_BYTES")
            record = self._kind.read(body.body, envelope, deviations)
        except (BodyTooLargeError, MalformedBodyError) as error:
            self._refuse(body, str(error))
            return None
        self.outcome.deviations.update(deviations.keys())
        key, headers = self._kind.key_and_headers(record, envelope, trace_of((), event_id))
        return Read(body, key, record, headers)

    async def _finish(self, batch: Collection[Read], last: Body) -> Body:
        """Publish a batch side by side, and note that every line up to `last` is done."""
        if self._publisher is None:
            self.outcome.published += len(batch)
            return last
        await self._pace.wait(len(batch))
        sent = [self._publish(self._publisher, read) for read in batch]
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if result:
                raise result
        self._state.note(last)
        return last

    async def _publish(self, publisher: Publisher, read: Read) -> None:
        try:
            await publisher.publish(self._kind.topic, read.key, read.record, read.headers)
            self.outcome.published += 1
        except RecordTooLargeError as error:
            self._refuse(read.body, str(error))

    def _refuse(self, body: Body, reason: str) -> None:
        self.outcome.refused += 1
        self._on_refused(body, reason)
