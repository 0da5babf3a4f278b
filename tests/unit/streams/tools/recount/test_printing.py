"""What a recount prints: one line on all, a row for each cell that differs, and JSON with the same."""

from __future__ import annotations

import json

import pytest

from streams.tools.recount import printing
from streams.tools.recount.comparison import Cell, WindowComparison, WindowState
from streams.tools.recount.ledger import Scope, WindowKey
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


def test_a_window_that_was_changing_has_one_row() -> None:
    moving = WindowComparison(KEY, WindowState.MOVING, CELLS, "why")
    columns = [
        [str(cell) for cell in column.cells] for column in differences_table(REPORT._replace(windows=[moving])).columns
    ]

    assert columns[3:] == [["2 cells"], ["-"], ["-"], ["why"]]


async def test_without_a_terminal_each_cell_is_one_line_and_no_id_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = KEY._replace(value="MX_MTY_LINE_" * 9)
    remark = "fewer calls published: perhaps late for the SIP line alone, which is published nowhere"
    report = REPORT._replace(windows=[WindowComparison(key, WindowState.DIFFERENT, CELLS, remark)])

    async def found(*_: object) -> RecountReport:
        return report

    monkeypatch.setattr(printing, "recount", found)
    monkeypatch.setenv("COLUMNS", "80")
    await printing.print_recount({}, Scope(), as_json=False)

    _, first, second, total = capsys.readouterr().out.splitlines()
    assert first.split()[1:6] == [key.value, "2024-03-11T13:25:00Z", "different", "calls", "3"]
    assert first.endswith(remark)
    assert "dispositions.answered" in second
    assert total == "1 window from 5 calls: 1 different"


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
