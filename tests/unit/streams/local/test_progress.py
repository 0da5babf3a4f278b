from __future__ import annotations

from io import StringIO

from rich.console import Console

from streams.local.progress import MIB, BarProgress, LineProgress, progress_for


def test_lines_tell_each_tenth_of_the_whole_whatever_the_files() -> None:
    out = StringIO()
    progress = progress_for(out)

    with progress.whole(200 * MIB, 150 * MIB):
        for _ in range(3 * 51):
            progress.advance(MIB // 3)
        progress.advance(20 * MIB)
    progress.advance(MIB)

    assert isinstance(progress, LineProgress)
    assert out.getvalue().splitlines() == [
        "downloading: 80 % of 200 MiB",
        "downloading: 90 % of 200 MiB",
        "downloading: 100 % of 200 MiB",
    ]


def test_a_terminal_has_one_bar_with_the_size_of_the_whole() -> None:
    out = StringIO()
    progress = BarProgress(Console(file=out, force_terminal=True, width=100))

    with progress.whole(200 * MIB, 50 * MIB):
        progress.advance(100 * MIB)
        progress.say("a line above the bar")

    assert "150.0/200.0 MiB" in out.getvalue()
    assert "a line above the bar" in out.getvalue()
    assert "\x1b[2K" in out.getvalue(), "the bar is gone at the end"
