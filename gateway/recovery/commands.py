"""`python -m gateway quarantine ...`: parse, call, print. Bodies are printed only when asked for by name."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar, get_args

import structlog
import typer
from rich.console import Console

from gateway.console import fail, progress_bar, settings_or_exit
from gateway.errors import GatewayError, PublishError
from gateway.publishing.connected import connected
from gateway.quarantine import Reason
from gateway.recovery.finding import Kept, QuarantineSearch, RequestFilter, kind_of
from gateway.recovery.judging import Judge, Survey, survey
from gateway.recovery.replaying import Replay, published
from gateway.settings import GatewaySettings
from gateway.webhooks.kinds import KINDS, TOPICS
from schemas.errors import SchemaError
from schemas.headers import rfc3339
from schemas.reader import TopicReader
from schemas.registry import Registry
from schemas.runtime import exits
from schemas.runtime.logs import silence
from schemas.runtime.options import epoch_ms, one_of

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Requests that were refused but kept: list, judge again, recover.")


EventId = Annotated[str | None, typer.Option("--event-id", help="Hex SHA-256 of the body, or its beginning")]
CallId = Annotated[str | None, typer.Option("--call-id", help="The call_id of the delivery or of one of its details")]
Workflow = Annotated[str | None, typer.Option("--workflow", help="The workflow_id")]
KIND_NAMES: Final = one_of(kind.name for kind in KINDS)
KindName = Annotated[
    str | None, typer.Option("--kind", parser=KIND_NAMES, metavar="KIND", help=f"The webhook: {KIND_NAMES.choices}")
]
ReasonName = Annotated[
    Reason | None,
    typer.Option("--reason", metavar="REASON", help=f"Why it was refused: {', '.join(get_args(Reason))}"),
]
From = Annotated[
    int | None,
    typer.Option(
        "--from", parser=epoch_ms, metavar="ISO", help="Received from then on: 2024-03-11T13:25:00, UTC without a zone"
    ),
]
Until = Annotated[
    int | None, typer.Option("--to", parser=epoch_ms, metavar="ISO", help="Received before then, in the same form")
]


@app.command("list")
def list_requests(
    event_id: EventId = None,
    call_id: CallId = None,
    workflow: Workflow = None,
    kind: KindName = None,
    reason: ReasonName = None,
    from_: From = None,
    to: Until = None,
) -> None:
    """Print one JSON line for each request that is kept, oldest first: when, why, which, from where. No bodies."""
    wanted = RequestFilter(event_id, call_id, workflow, kind, reason, from_, to)

    async def run(search: QuarantineSearch) -> str:
        count = 0
        async for kept in search.find(wanted):
            typer.echo(json.dumps(_line(kept)))
            count += 1
        return _matched(count, search.records)

    typer.echo(_with_search(settings_or_exit(), run), err=True)


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(help="Hex SHA-256 of the body, or its beginning")],
    body: Annotated[bool, typer.Option("--body", help="Print only the raw body: it holds personal data")] = False,
) -> None:
    """Print one request with its headers, its signature among them; with `--body` its bytes and nothing else.

    Exit code 1 when there is none. To find the scheme of a signature:

    ```text
    python -m gateway quarantine show EVENT_ID --body > body.json
    python -m gateway which-scheme body.json SIGNATURE
    ```
    """

    async def run(search: QuarantineSearch) -> Kept | None:
        async for kept in search.find(RequestFilter(event_id=event_id)):
            return kept
        return None

    kept = _with_search(settings_or_exit(), run)
    if kept is None:
        fail(f"no request {event_id} in quarantine")
    if body:
        sys.stdout.buffer.write(kept.request.body)
    else:
        typer.echo(json.dumps({**_line(kept), "headers": kept.request.headers}, indent=2))


@app.command()
def reverify(
    event_id: EventId = None,
    call_id: CallId = None,
    workflow: Workflow = None,
    kind: KindName = None,
    reason: ReasonName = None,
    from_: From = None,
    to: Until = None,
) -> None:
    """Judge the requests by the keys and the scheme of the environment now; publishes nothing.

    Exit code 0 when at least one would pass, else 1.
    """
    settings = settings_or_exit()
    wanted = RequestFilter(event_id, call_id, workflow, kind, reason, from_, to)
    judge = _judge(settings)

    async def run(search: QuarantineSearch) -> bool:
        is_any = False
        async for kept in search.find(wanted):
            judgement = judge.judge(kept.request)
            is_any = is_any or judgement.verdict == "passes"
            typer.echo(json.dumps({**_line(kept), "verdict": judgement.verdict, "verdict_detail": judgement.detail}))
        return is_any

    sys.exit(0 if _with_search(settings, run) else 1)


@app.command()
def replay(
    event_id: EventId = None,
    call_id: CallId = None,
    workflow: Workflow = None,
    kind: KindName = None,
    reason: ReasonName = None,
    from_: From = None,
    to: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be published; publish nothing")] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1_000_000, help="Records a second, at most; default: as fast as Kafka")
    ] = None,
) -> None:
    """Publish the requests that verify and read now, each event once, with their first received_at.

    What is in its topic already is left out, so an interrupted replay is simply run again. `--dry-run` first.

    Exit codes: 0 every request that passes is in its topic; 69 Kafka failed on the way, run it again; 78 a setting is
    wrong.
    """
    settings = settings_or_exit()
    wanted = RequestFilter(event_id, call_id, workflow, kind, reason, from_, to)
    judge = _judge(settings)
    console = Console(stderr=True)
    with progress_bar(console) as progress:
        judging = progress.add_task("judging", total=None)

        async def run(search: QuarantineSearch) -> str:
            found = await survey(search, wanted, judge)
            present = await published(search.reader, found.recoverable)
            due = set(found.recoverable) - present
            summary = _summary(found, search, len(present))
            if dry_run or not due:
                return f"{summary}; {len(due)} {'would be ' if dry_run else ''}published"
            publishing = progress.add_task("publishing", total=len(due))
            count = 0
            async with connected(settings, TOPICS) as publisher:
                replaying = Replay(search, judge, publisher, due, rate)
                try:
                    async for count in replaying.run(wanted):
                        progress.update(publishing, completed=count)
                except PublishError as error:
                    raise PublishError(f"{summary}; {len(due)} not published: {error}. Run it again.") from error
            too_large = f", {replaying.too_large} too large for their topic" if replaying.too_large else ""
            return f"{summary}; {count} published{too_large}"

        line = _with_search(settings, run, lambda: progress.advance(judging))
    typer.echo(line)


def _matched(count: int, records: int) -> str:
    """How many match. None of several reads differently from an empty quarantine."""
    if count:
        return f"{count} request{'s' * (count != 1)}"
    return f"no request matches, of {records} in quarantine" if records else "the quarantine is empty"


def _summary(found: Survey, search: QuarantineSearch, present: int) -> str:
    passing = len(found.recoverable)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(found.verdicts.items())) or "none"
    count = search.unreadable_records
    unreadable = f", {count} unreadable record{'s' * (count != 1)}" if count else ""
    return (
        f"{_matched(found.requests, search.records)} ({verdicts}{unreadable}); "
        f"{passing} {'event passes' if passing == 1 else 'events pass'}, {present} of them published before"
    )


def _line(kept: Kept) -> dict[str, object]:
    request = kept.request
    return {
        "event_id": request.event_id,
        "received_at": rfc3339(request.received_at),
        "kind": kind_of(request),
        "path": request.path,
        "reason": request.reason,
        "detail": request.detail,
        "body_bytes": len(request.body),
        "remote_address": request.remote_address,
        "origin": kept.origin,
    }


def _judge(settings: GatewaySettings) -> Judge:
    try:
        return Judge(settings, time.time())
    except GatewayError as error:
        fail(str(error))


def _with_search(
    settings: GatewaySettings,
    run: Callable[[QuarantineSearch], Awaitable[T]],
    on_progress: Callable[[], None] = lambda: None,
) -> T:
    """Run a command over the quarantine; failures of Kafka and the registry end it with exit code 69."""

    async def session() -> T:
        registry = Registry(settings.registry)
        try:
            async with TopicReader(settings.kafka) as reader:
                return await run(QuarantineSearch(reader, registry, on_progress))
        finally:
            await registry.aclose()

    silence("aiokafka")
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    try:
        return asyncio.run(session())
    except (GatewayError, SchemaError) as error:
        fail(str(error), exits.UNAVAILABLE)
