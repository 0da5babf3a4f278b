"""Publishing quarantined requests that pass now.

What was published before is read from the topics themselves. So a replay that is run again, on any machine, leaves out
every event that is already there, also one that the provider has sent again in the meantime.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from gateway.errors import RecordTooLargeError
from gateway.limits import Pace
from gateway.publishing.publisher import Publisher
from gateway.recovery.finding import QuarantineSearch, Reader, RequestFilter
from gateway.recovery.judging import Event, Judge, Judgement
from gateway.requests import envelope_of
from gateway.webhooks.kinds import KINDS
from schemas.headers import REPLAYED_FROM

Passed = tuple[Judgement, str]  # a judgement that passes, and the request's origin


async def published(reader: Reader, events: Mapping[Event, int]) -> set[Event]:
    """Those of these events that are in their topics already, by the records' own ids.

    events: with when each was received first, in epoch ms. Raises: UnreadableTopicError.
    """
    present: set[Event] = set()
    for topic in (kind.topic for kind in KINDS):
        times = [received_at for (name, _), received_at in events.items() if name == topic.name]
        if not times:
            continue
        async for stored in reader.in_order(topic, min(times)):
            event = (topic.name, dict(stored.headers).get("ce_id", b"").decode("latin-1"))
            if event in events:
                present.add(event)
    return present


class Replay:
    """Publishes each of the events in `due` once, at most `rate` a second.

    due: every event that is acknowledged is removed from it. too_large: how many their topic does not take.
    """

    def __init__(
        self, search: QuarantineSearch, judge: Judge, publisher: Publisher, due: set[Event], rate: float | None
    ) -> None:
        self.due = due
        self.too_large = 0
        self._search = search
        self._judge = judge
        self._publisher = publisher
        self._pace = Pace(rate)

    async def run(self, wanted: RequestFilter) -> AsyncIterator[int]:
        """Yields how many are acknowledged so far.

        Raises: PublishError when Kafka does not acknowledge. Repeat: safe; a second run goes on from there.
        """
        done = 0
        batch: list[Passed] = []
        async for passed in self._passed(wanted):
            batch.append(passed)
            if len(batch) >= self._pace.batch:
                done += await self._publish(batch)
                yield done
                batch = []
        if batch:
            done += await self._publish(batch)
            yield done

    async def _passed(self, wanted: RequestFilter) -> AsyncIterator[Passed]:
        """The first request of each event that is due."""
        chosen: set[Event] = set()
        async for kept in self._search.find(wanted):
            judgement = self._judge.judge(kept.request)
            if judgement.verdict == "passes" and judgement.event in self.due and judgement.event not in chosen:
                chosen.add(judgement.event)
                yield judgement, kept.origin

    async def _publish(self, batch: Sequence[Passed]) -> int:
        """Publish a batch, side by side. Returns how many were acknowledged; the others stay in `due`."""
        await self._pace.wait(len(batch))
        results = await asyncio.gather(*(self._publish_one(*passed) for passed in batch), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        for (judgement, _), result in zip(batch, results, strict=True):
            if not isinstance(result, BaseException):
                self.due.discard(judgement.event)
        for error in errors:
            if not isinstance(error, RecordTooLargeError):
                raise error
        self.too_large += len(errors)
        return len(batch) - len(errors)

    async def _publish_one(self, judgement: Judgement, origin: str) -> None:
        kind, record = judgement.kind, judgement.record
        assert kind is not None
        assert record is not None
        envelope = envelope_of(judgement.raw, judgement.verified)
        key, headers = kind.key_and_headers(record, envelope, judgement.raw.trace)
        await self._publisher.publish(kind.topic, key, record, [*headers, (REPLAYED_FROM, origin.encode())])
