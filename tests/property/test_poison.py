"""Whatever one accepted callback, one foreign record or one busy window leads to costs at most itself.

Hostile and valid callbacks and records of strangers go through the product's own agents; only Kafka, registry and
RocksDB are away. No exception may leave an agent; every call must be in the topics or in dead letters; every record and
row under its limit, which `tests.support.agents` asserts; and the windows must be those of the oracle.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, DEAD_LETTERS
from streams.tools.dead_letters.letters import Origin, origin_of
from tests.support.agents import NOW_MS, Agents
from tests.support.comparison import OUTPUTS, Poison, Report, compare
from tests.support.hostile import Foreign, Hostile, Json, is_over
from tests.support.oracle import Arrival
from tests.support.topics import callback_of

END = "2024-03-11 13:24:00"  # before NOW_MS
PROFILE = profile(max_examples=8)


class Bench:
    """The agents, and what was written to them."""

    def __init__(self) -> None:
        self.agents = Agents()
        self.arrivals: list[Arrival] = []
        self.poison: list[Poison] = []
        self.strangers: set[Origin] = set()

    async def deliver(self, made: Json) -> None:
        """One callback, as the gateway writes it."""
        callback = callback_of(made, NOW_MS)
        key = ((callback.details[0].call_id if callback.details else None) or callback.event_id).encode()
        self.agents.write(CALLBACKS, key, callback)
        record = self.last(CALLBACKS.name, key)
        if is_over(made):
            self.poison.append(Poison(record.partition, record.offset, key, record.value))
        else:
            self.arrivals.append(Arrival(made, NOW_MS, record.partition))

    def last(self, topic: str, key: bytes | None) -> Any:
        there = self.agents.topics[topic]
        return next(some[-1] for some in there.values() if some and some[-1].key == key)

    def intrude(self, foreign: Foreign) -> None:
        """One record of a stranger."""
        value = foreign.value
        if value is not None and not isinstance(value, bytes):
            value = self.agents.registry.encode(foreign.topic, value)
        self.agents.append(foreign.topic.name, 0, foreign.key, value, foreign.headers)
        offset = self.agents.topics[foreign.topic.name][0][-1].offset
        if foreign.topic is CALLBACKS:
            self.poison.append(Poison(0, offset, foreign.key, value))
        else:
            self.strangers.add(Origin(foreign.topic.name, 0, offset))

    def intrude_on_changelogs(self, chance: Random) -> None:
        """A record of a stranger on each changelog."""
        for table in self.agents.tables.values():
            key = chance.choice((None, b"", b"k", b"\xff", b"p\x00", b"kwf-0"))
            value = chance.choice((b"", b"x", b"not a row" * 3, b"\x00" * 9, b"\xff" * 8 + b"\x02" + b"another format"))
            table.log.setdefault(0, []).append((key, value))

    def report(self) -> Report:
        """All that was written against all that came out."""
        outputs = self.agents.outputs(*OUTPUTS)
        letters = [read.value for read in outputs[DEAD_LETTERS.name]]
        elsewhere = {origin_of(letter) for letter in letters if letter.source_topic != CALLBACKS.name}
        outputs[DEAD_LETTERS.name] = [
            read for read in outputs[DEAD_LETTERS.name] if read.value.source_topic == CALLBACKS.name
        ]
        assert elsewhere == self.strangers, "each record of a stranger is a dead letter, and nothing else is"
        return compare(self.arrivals, self.poison, outputs)


@pytest.mark.parametrize("words", [3, 500])
@PROFILE
@given(seed=st.integers(0, 2**32))
async def test_hostile_callbacks_and_foreign_records_cost_at_most_themselves(words: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.rules.counts.MAX_WORDS", words)
        await run(Random(seed), deliveries=40)


async def run(chance: Random, deliveries: int) -> None:
    bench, hostile = Bench(), Hostile(chance)
    await bench.agents.start()
    sample: Callback = callback_of(hostile.delivery(END), NOW_MS)
    for _ in range(deliveries):
        await bench.deliver(hostile.delivery(END))
        if chance.random() < 0.2:
            bench.intrude(hostile.foreign(sample, NOW_MS))
        if chance.random() < 0.1:
            await bench.agents.process_all()
        if chance.random() < 0.05:
            await restart(bench, chance)
    await bench.agents.process_all()

    assert bench.report().differences == []


async def restart(bench: Bench, chance: Random) -> None:
    """A new worker without a disk, that reads some processed records once more."""
    bench.intrude_on_changelogs(chance)
    await bench.agents.start()
    for (topic, partition), reached in list(bench.agents._reached.items()):
        bench.agents.read_again(topic, partition, max(reached - chance.randrange(10), 0))
    await bench.agents.process_all()
