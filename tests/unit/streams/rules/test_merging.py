"""Each field of a window says how it is added up: a field that is in no list is a mistake, never a sum by chance."""

from __future__ import annotations

from schemas.records.outcomes import WindowedOutcomes
from streams.rules.counts import HISTOGRAMS, MAPS, RECORD_MAPS, SUMS, OutcomeCounts
from streams.rules.merging import SUMMED

NOT_ADDED = ("dimension", "value", "window_start_at", "window_end_at", "is_final")


def test_every_field_of_a_window_has_one_kind() -> None:
    fields = [*NOT_ADDED, *SUMMED, *MAPS, *HISTOGRAMS, *RECORD_MAPS]

    assert sorted(fields) == sorted(WindowedOutcomes.__struct_fields__)


def test_every_count_has_one_kind() -> None:
    fields = [*SUMS, *MAPS, *HISTOGRAMS, *RECORD_MAPS]

    assert sorted(fields) == sorted(OutcomeCounts.__struct_fields__)


def test_a_kind_holds_what_it_says() -> None:
    kinds = {name: type(getattr(OutcomeCounts(), name)) for name in OutcomeCounts.__struct_fields__}

    assert {kinds[name] for name in SUMS} == {int}
    assert {kinds[name] for name in (*MAPS, *RECORD_MAPS)} == {dict}
    assert {kinds[name] for name in HISTOGRAMS} == {list}
