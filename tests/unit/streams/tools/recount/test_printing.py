"""What a recount prints: one line on all, a row for each cell that differs, and JSON with the same."""

from __future__ import annotations

import json

import pytest

from streams.tools.recount.comparison import Cell, WindowComparison, WindowState
from streams.tools.recount.ledger import WindowKey
from streams.tools.recount.printing import differences_table, print_json, summary
from streams.tools.recount.run import RecountReport

KEY = WindowKey("workflow", "[red]wf-1", 1_710_163_500_000)
EQUAL = WindowComparison(KEY._replace(value="wf-2"), WindowState.EQUAL, [])
CELLS = [Cell("calls", 3, 2), Cell("dispositions.answered", 2, 1)]
REPORT = RecountReport([EQUAL, WindowComparison(KEY, WindowState.DIFFERENT, CELLS, "why")], 5, 0, 0)


def test_the_summary_counts_windows_by_state() -> None:
    assert summary(REPORT) == "2 windows from 5 calls: 1 equal, 1 different"


def test_the_summary_names_what_was_left_out() -> None:
    report = REPORT._replace(windows=[], calls=1, unreadable=1, other_sizes=2)

    assert summary(report) == (
        "0 windows from 1 call: nothing to compare; 1 record unreadable; 2 windows of another size left out"
    )


def test_the_table_has_a_row_for_each_cell_and_the_remark_once() -> None:
    columns = [[str(cell) for cell in column.cells] for column in differences_table(REPORT).columns]

    assert columns[0] == ["workflow [red]wf-1"] * 2
    assert columns[3:] == [["calls", "dispositions.answered"], ["3", "2"], ["2", "1"], ["why", ""]]


def test_the_json_has_every_state_and_the_windows_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(REPORT)
    found = json.loads(capsys.readouterr().out)

    assert found["windows"] == {"equal": 1, "different": 1, "late": 0, "moving": 0, "partial": 0}
    assert [(window["value"], window["state"]) for window in found["differences"]] == [("[red]wf-1", "different")]
    assert found["differences"][0]["cells"] == [cell._asdict() for cell in CELLS]
    assert found["differences"][0]["window_start_at"] == "2024-03-11T13:25:00Z"


@pytest.mark.parametrize(("report", "code"), [(REPORT, 1), (RecountReport([EQUAL], 1, 0, 0), 0)])
def test_a_difference_is_exit_code_1(report: RecountReport, code: int) -> None:
    assert report.exit_code == code


def test_a_record_that_cannot_be_read_is_exit_code_1() -> None:
    assert RecountReport([EQUAL], 1, 1, 0).exit_code == 1
