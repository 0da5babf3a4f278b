"""How many records a tool has read, on stderr, for whoever watches it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def counting_records() -> Iterator[Callable[[], None]]:
    """Show the count while the block runs, and nothing where stderr is no terminal. Yields what counts one record."""
    columns = (SpinnerColumn(), TextColumn("{task.completed} records"), TimeElapsedColumn())
    console = Console(stderr=True)
    # Without `disable` rich ends with an empty line where there is no terminal.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("records")
        yield lambda: progress.advance(task)
