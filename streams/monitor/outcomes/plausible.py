"""Pure: can a worker have sent this outcome record? Anybody with the right to write may have sent another."""

from collections.abc import Collection
from operator import attrgetter
from typing import Final

from schemas.records.outcomes import WindowedOutcomes
from streams.rules.counts import HISTOGRAMS, MAPS, RECORD_MAPS
from streams.rules.merging import SUMMED

DAY_MS: Final = 86_400_000
FIRST_MS: Final = 1_420_070_400_000  # 2015-01-01: the worker reads no time before it
# Event time is never after receipt, except for a tolerance and for clocks.
MAX_AHEAD_MS: Final = DAY_MS

MAX_COUNT: Final = 2**40
MAX_VALUE_CHARS: Final = 65_536
MAX_WORD_CHARS: Final = 10_000
MAX_WORDS: Final = 20_000

# Sums of the provider's own numbers, which may be negative.
_SIGNED: Final = {"duration_s_sum", "ring_time_s_sum", "talk_round_sum", "answered_duration_s_sum"}

_COUNTS: Final = tuple(name for name in SUMMED if name not in _SIGNED)
_counts_of = attrgetter(*_COUNTS)
_inner_counts_of = {name: attrgetter(*kind.__struct_fields__) for name, kind in RECORD_MAPS.items()}


def fault_of(record: WindowedOutcomes, dimension: str, appended_at: int) -> str | None:
    """What no worker sends, in words that quote nothing of the record; None when it is plausible."""
    length = record.window_end_at - record.window_start_at
    if record.dimension != dimension:
        return "dimension: not this topic's"
    if len(record.value) > MAX_VALUE_CHARS:
        return f"value: over {MAX_VALUE_CHARS} characters"
    if not FIRST_MS <= record.window_start_at <= appended_at + MAX_AHEAD_MS:
        return "window_start_at: before 2015, or over a day after the record"
    if not 0 < length <= DAY_MS or record.window_start_at % length:
        return "window_end_at: no window starts and ends so"
    return _counts_fault(record)


def _counts_fault(record: WindowedOutcomes) -> str | None:
    """Checks whole fields, not single values: every pane of thirty days passes here at each start."""
    if not _are_counts(_counts_of(record)):
        wrong = next(name for name in _COUNTS if not _are_counts((getattr(record, name),)))
        return f"{wrong}: a count no worker sends"
    for name in HISTOGRAMS:
        if not _are_counts(getattr(record, name)):
            return f"{name}: a count no worker sends"
    for name in (*MAPS, *RECORD_MAPS):
        words = getattr(record, name)
        if not words:
            continue
        if len(words) > MAX_WORDS or max(map(len, words)) > MAX_WORD_CHARS:
            return f"{name}: over {MAX_WORDS} words, or one of over {MAX_WORD_CHARS} characters"
        inner = _inner_counts_of.get(name)
        counted = map(inner, words.values()) if inner else [words.values()]
        if not all(map(_are_counts, counted)):
            return f"{name}: a count no worker sends"
    return None


def _are_counts(values: Collection[int]) -> bool:
    return not values or (min(values) >= 0 and max(values) <= MAX_COUNT)
