"""`python -m streams tail`: the records of one topic, decoded, as they come."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal

from aiokafka import TopicPartition

from schemas.headers import is_synthetic
from schemas.reader import StoredRecord, TopicReader
from schemas.registry import Registry
from schemas.topics import Topic
from streams.settings import StreamsSettings
from streams.tools.kafka import translated
from streams.tools.lines import Lines, ReaderGoneError, cancel_when_reader_goes
from streams.tools.selecting import Wanted
from streams.tools.tail.printing import json_line, table_head, table_line
from streams.topics.decoding import Decoded, Decoder

FOLLOW_WAIT_MS: Final = 100

Form = Literal["json", "table"]


@dataclass(frozen=True)
class TailOptions:
    """The command's options. from_ms: append time, UTC epoch ms; None: from now, or all where it does not follow."""

    topic: Topic
    wanted: Wanted
    from_ms: int | None = None
    form: Form = "json"
    headers: bool = False
    mask: bool = False
    limit: int | None = None
    follow: bool = True


async def print_tail(environ: Mapping[str, str], options: TailOptions) -> int:
    """Print until Ctrl-C, the limit, the end (without `follow`), or until nobody reads. Exit code 0.

    Raises: SettingsError, TopicsError, RefusedError, BrokerUnavailableError, RegistryAwayError, DiskError.
    """
    settings = StreamsSettings.from_env(environ)
    registry = Registry(settings.registry)
    cancel_when_reader_goes()
    try:
        async with (
            translated(settings.kafka),
            TopicReader(settings.kafka, fetch_wait_ms=FOLLOW_WAIT_MS) as reader,
        ):
            await _print(reader, Decoder(registry), options)
    except (ReaderGoneError, asyncio.CancelledError):  # Ctrl-C is how a tail ends
        pass
    finally:
        await registry.aclose()
    return 0


async def _print(reader: TopicReader, decoder: Decoder, options: TailOptions) -> None:
    lines, left = Lines(), options.limit
    width = _width()
    if options.form == "table":
        lines.write(table_head(width))
    async with aclosing(_records(reader, options)) as records:
        async for stored in records:
            if options.wanted == Wanted() and is_synthetic(stored.headers):
                continue  # nobody asked for probes
            decoded = await decoder.decode(options.topic, stored)
            if not options.wanted.matches(decoded):
                continue
            lines.write(_line(decoded, options, width))
            left = None if left is None else left - 1
            if left == 0:
                return


def _line(decoded: Decoded, options: TailOptions, width: int | None) -> str:
    if options.form == "table":
        return table_line(decoded, width)
    return json_line(decoded, headers=options.headers, mask=options.mask)


async def _records(reader: TopicReader, options: TailOptions) -> AsyncGenerator[StoredRecord, None]:
    """What was appended since `from_ms`, in that order; then what comes."""
    topic, since = options.topic, options.from_ms
    starts = await reader.ends(topic)
    if since is not None or not options.follow:
        async for stored in reader.in_order(topic, since):
            place = TopicPartition(stored.topic, stored.partition)
            starts[place] = max(starts[place], stored.offset + 1)
            if since is None or stored.timestamp >= since:
                yield stored
    if options.follow:
        sys.stderr.write("following; Ctrl-C ends\n")
        async for stored in reader.follow(starts):
            yield stored


def _width() -> int | None:
    """The width of the terminal at stdout; None for a pipe or a file."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return None
