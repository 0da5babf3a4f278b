"""`python -m gateway import`: open the files, publish with a progress bar, say what became of the lines."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import structlog
import typer
from rich.console import Console

from gateway.console import fail, progress_bar, settings_or_exit
from gateway.errors import ImportStateError, PublishError, UnreadableFileError
from gateway.importing.bodies import Body, bodies_of, files_of, size_of
from gateway.importing.importer import Importer, Outcome
from gateway.importing.state import ImportState
from gateway.publishing.connected import connected
from gateway.settings import GatewaySettings
from gateway.webhooks.kinds import CALL_COMPLETION, EVENTS, KINDS, Kind, kind_at
from schemas.runtime import exits
from schemas.runtime.logs import silence
from schemas.topics import WEBHOOKS_PATH

KIND_NAMES: Final = ", ".join("events/NAME" if kind is EVENTS else kind.name for kind in KINDS)


def _kind(text: str) -> Kind[Any]:
    """The webhook by the end of its path. Raises: typer.BadParameter naming all."""
    kind = kind_at(WEBHOOKS_PATH + text)
    if kind is None:
        raise typer.BadParameter(f"{text!r} is not one of {KIND_NAMES}")
    return kind


def import_callbacks(
    path: Annotated[
        str, typer.Argument(metavar="FILE|DIR", help="JSON lines, or one body in a .json file; all of DIR; - for stdin")
    ],
    kind: Annotated[
        Kind[Any], typer.Option(parser=_kind, metavar="KIND", help=f"The webhook: {KIND_NAMES}")
    ] = CALL_COMPLETION.name,  # type: ignore[assignment]  # typer parses it
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1_000_000, help="Records a second, at most; default: as fast as Kafka")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep there how far it came, and go on from there")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything; publish nothing")] = False,
) -> None:
    """Publish callbacks that came another way, such as an export of AiRudder's: the body of one delivery a line.

    They are read as the gateway reads them, under the same ids: what was received before is counted once. Nobody
    verifies them: their `signature_scheme` is `import`, and `received_at` is now. So calls older than STREAMS_GRACE_S
    may be late for their windows: see gateway/README.md. A line that is no callback is named with its faults, and left
    out.

    ```sh
    echo '{"workflow_id": "help", "details": [{"call_id": "help-call"}]}' | python -m gateway import -
    ```

    Exit codes: 0 all lines are in Kafka; 1 some were left out; 6 a file cannot be read or written; 69 Kafka or the
    registry is away: run it again; 78 a setting is wrong.
    """
    settings = settings_or_exit()
    try:
        files = files_of(path)
        total = size_of(files)
        outcome = _imported(settings, kind, (files, total), ImportState(state), rate, dry_run=dry_run)
    except (UnreadableFileError, ImportStateError) as error:
        fail(str(error), exits.DISK)
    typer.echo(summary(outcome, dry_run=dry_run))
    raise typer.Exit(exits.NO if outcome.refused else 0)


def _imported(
    settings: GatewaySettings,
    kind: Kind[Any],
    files: tuple[list[str], int | None],
    state: ImportState,
    rate: float | None,
    *,
    dry_run: bool,
) -> Outcome:
    """What became of the lines. Ends the command with exit code 69 when Kafka is away."""
    silence("aiokafka")
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )
    names, total = files
    console = Console(stderr=True)

    def say_refused(body: Body, reason: str) -> None:
        console.print(f"{body.file}:{body.line}: left out: {reason}", markup=False, highlight=False, soft_wrap=True)

    async def run(advance: Callable[[int], None]) -> Outcome:
        async with AsyncExitStack() as stack:
            publisher = None if dry_run else await stack.enter_async_context(connected(settings, [kind.topic]))
            importer = Importer(kind, publisher, state, rate, settings.max_body_bytes, say_refused)
            try:
                async for _ in importer.run(_counted(chain.from_iterable(map(bodies_of, names)), advance)):
                    pass
            except PublishError as error:
                _stopped(importer.outcome, error)
            return importer.outcome

    with progress_bar(console) as progress:
        task = progress.add_task("bytes read", total=total)
        try:
            return asyncio.run(run(lambda size: progress.advance(task, size)))
        except PublishError as error:
            fail(str(error), exits.UNAVAILABLE)


def _counted(bodies: Iterable[Body], advance: Callable[[int], None]) -> Iterable[Body]:
    for body in bodies:
        advance(body.size)
        yield body


def _stopped(outcome: Outcome, error: PublishError) -> NoReturn:
    message = f"{summary(outcome, dry_run=False)}; then it stopped: {error}. Run it again: repeats count once"
    raise PublishError(message) from error


def summary(outcome: Outcome, *, dry_run: bool) -> str:
    """What became of the lines, and what was not as documented, without a value."""
    lines = f"{outcome.lines} line{'s' * (outcome.lines != 1)}"
    done = f", {outcome.done} done before" if outcome.done else ""
    text = f"{lines}: {outcome.published} {'would be ' * dry_run}published{done}, {outcome.refused} left out"
    by_found = groupby(sorted(outcome.deviations, key=itemgetter(1, 0)), itemgetter(1))
    odd = [f"{found}: {', '.join(path for path, _ in paths)}" for found, paths in by_found]
    return text + (f"\nnot as documented, and kept as it came; {'; '.join(odd)}" if odd else "")
