"""Makes the explanation of a line: windows from memory, records from Kafka."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from streams.errors import BrokerUnavailableError
from streams.monitor.lines.dials import Dial
from streams.monitor.lines.explanation import Explanation, explain
from streams.monitor.lines.pane_dials import panes_of, tally_of
from streams.monitor.monitor import Monitor
from streams.monitor.records.ledger import Reading
from streams.rules.dimensions import SIP_LINE


def alarm_since(monitor: Monitor, line: str, now_ms: int) -> int | None:
    """Since when the line is in alarm, UTC epoch ms; None when it is in none."""
    state = monitor.line_state(now_ms)
    found = state.never.get(line) or state.behind.get(line)
    return found.since_ms if found else None


async def explained(monitor: Monitor, line: str, from_ms: int, to_ms: int) -> Explanation:
    """Why this line, in [from_ms, to_ms), UTC epoch ms. Without Kafka the windows alone are compared, and it says so.

    Raises: NotReadyError, NotFoundError for a line without windows, TooManyReadsError.
    """
    store = monitor.reader.caught_up_store
    store.check(SIP_LINE, line)
    records: Mapping[str, Counter[Dial]] = {}
    try:
        read = await monitor.dials.read(from_ms, to_ms)
        records, reading = read.dials, read.reading
    except BrokerUnavailableError as error:
        reading = Reading(fault=str(error))

    def made() -> Explanation:
        windows = tally_of(panes_of(store, line, from_ms, to_ms, monitor.settings.window_s))
        return explain(line, from_ms, to_ms, windows, records, reading, store.names.of)

    async with monitor.room_for_answers:
        return await asyncio.to_thread(made)
