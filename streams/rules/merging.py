"""Windows added up into a longer one, or those of several values into one: an exact sum. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.records.outcomes import LineWorkflowOutcomes, QuestionOutcomes, WindowedOutcomes
from streams.rules.counts import HISTOGRAMS, MAPS, RECORD_MAPS, SUMS

SUMMED: Final = ("revision", *SUMS)  # revisions count the changes of a window, so they add up too


def merge(panes: list[WindowedOutcomes], start_at: int, end_at: int, *, is_final: bool) -> WindowedOutcomes:
    """The exact sum of panes of one value, in any order. The revision is a sum too: it counts changes."""
    fields: dict[str, Any] = {name: sum(getattr(pane, name) for pane in panes) for name in SUMMED}
    fields |= {name: _added_maps(getattr(pane, name) for pane in panes) for name in MAPS}
    fields |= {name: _added_lists(getattr(pane, name) for pane in panes) for name in HISTOGRAMS}
    for name, kind in RECORD_MAPS.items():
        fields[name] = added_records((getattr(pane, name) for pane in panes), kind)
    return WindowedOutcomes(
        dimension=panes[0].dimension,
        value=panes[0].value,
        window_start_at=start_at,
        window_end_at=end_at,
        is_final=is_final,
        **fields,
    )


def _added_maps(maps: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in maps:
        total.update(counts)
    return dict(sorted(total.items()))


def _added_lists(lists: Iterable[list[int]]) -> list[int]:
    total: list[int] = []
    for counts in lists:
        total += [0] * (len(counts) - len(total))
        for i, count in enumerate(counts):
            total[i] += count
    return total


def added_records(
    maps: Iterable[Mapping[str, QuestionOutcomes | LineWorkflowOutcomes]],
    kind: type[QuestionOutcomes] | type[LineWorkflowOutcomes],
) -> dict[str, Any]:
    """The sums of records by name, of one kind, in the order of their names."""
    total: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for records in maps:
        for name, record in records.items():
            total[name].update(record.to_datum())
    return {name: kind(**dict.fromkeys(kind.__struct_fields__, 0) | counts) for name, counts in sorted(total.items())}
