from __future__ import annotations

from io import StringIO

from streams.local.progress import MIB, LineProgress, progress_for


def test_lines_name_what_takes_time_and_how_far_a_large_file_is() -> None:
    out = StringIO()
    progress = progress_for(out)

    with progress.file("small.pom", 1000, 0) as advance:
        advance(1000)
    with progress.file("large.tar.gz", 40 * MIB, 10 * MIB) as advance:
        for _ in range(30):
            advance(MIB)

    assert isinstance(progress, LineProgress)
    assert out.getvalue().splitlines() == [
        "downloading large.tar.gz (40 MiB), resumed",
        "downloading large.tar.gz: 50 %",
        "downloading large.tar.gz: 75 %",
        "downloading large.tar.gz: 100 %",
    ]
