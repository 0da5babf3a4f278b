"""`python -m streams trace-call`: search the topics, tell the story, print it."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.reader import Offsets, TopicReader
from schemas.registry import Registry
from schemas.runtime import exits, instants
from schemas.topics import CALLS, CO_PARTITIONED, Topic
from streams import output
from streams.rules.dimensions import DIMENSIONS
from streams.rules.windows import window_start
from streams.settings import WorkerSettings
from streams.tools.kafka import translated
from streams.tools.progress import counting_records
from streams.tools.tracing.printing import as_json, as_lines
from streams.tools.tracing.search import CallSearch
from streams.tools.tracing.story import Progress, tell
from streams.topics.decoding import Decoded, Decoder


@dataclass(frozen=True)
class TraceOptions:
    """The command's options. from_ms: records appended before are not searched, UTC epoch ms."""

    call_id: str
    from_ms: int | None = None
    json: bool = False
    mask: bool = False


async def print_trace(environ: Mapping[str, str], options: TraceOptions) -> int:
    """Print everything of one call. Exit code 0, or 1 where nothing of it was found.

    Raises: SettingsError, TopicsError, RefusedError, BrokerUnavailableError, RegistryAwayError.
    """
    settings = WorkerSettings.from_env(environ)
    registry = Registry(settings.registry)
    try:
        async with translated(settings.kafka), TopicReader(settings.kafka, settings.group) as reader:
            with counting_records() as advance:
                search = CallSearch(reader, Decoder(registry), options.call_id, options.from_ms, advance)
                committed = await reader.committed(*CO_PARTITIONED)
                ends = await reader.ends(*CO_PARTITIONED)
                await search.run()
                windows = await _windows(search, settings.window_s * 1000)
    finally:
        await registry.aclose()
    story = tell(options.call_id, search.found, windows, Progress(_by_place(committed), _by_place(ends)))
    text = as_json(story, search, mask=options.mask) if options.json else as_lines(story, search)
    output.console().print(text, markup=False, highlight=False, soft_wrap=True)
    return 0 if story.is_found else exits.NO


async def _windows(search: CallSearch, window_ms: int) -> dict[Topic, Decoded | None]:
    """The windows where the newest revision of the call belongs by its event time."""
    calls = [record.value for record in search.found[CALLS] if record.value]
    if not calls:
        return {}
    call = max(calls, key=lambda value: int(value["revision"]))
    start = window_start(instants.parse(call["ended_at"]), window_ms)
    return {
        dimension.results: await search.window(dimension.results, f"{call[dimension.key]}|{start}")
        for dimension in DIMENSIONS
    }


def _by_place(offsets: Offsets) -> dict[tuple[str, int], int]:
    return {(place.topic, place.partition): offset for place, offset in offsets.items()}
