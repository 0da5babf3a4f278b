"""`python -m gateway`: parse, call, print."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import httpx2
import msgspec
import structlog
import typer
import uvloop

from gateway.console import fail, settings_or_exit
from gateway.errors import SpoolError, SpoolInUseError, WorkersError
from gateway.importing.command import import_callbacks
from gateway.recovery import commands as quarantine_commands
from gateway.sender.client import Sender
from gateway.sender.simulation import Simulation
from gateway.sender.traffic import Traffic
from gateway.serving.server import serve as serve_forever
from gateway.serving.worker import WorkerSlot
from gateway.serving.worker import serve_worker as serve_as_worker
from gateway.settings import GatewaySettings
from gateway.signatures.verification import matching_schemes
from schemas.errors import KeysError, SettingsError
from schemas.runtime import exits
from schemas.runtime.build import VersionOption
from schemas.runtime.listening import PortError
from schemas.runtime.logs import configure_logging, log_start
from schemas.runtime.rules import is_url
from schemas.topics import CALL_COMPLETION_PATH

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    help="""The front door: AiRudder's signed webhooks in, records on Kafka out.

    Settings come from the environment; `check-config` prints them all. A first call, while `python -m streams up` runs:

    ```sh
    . .data/env
    python -m gateway send
    ```

    A gateway of your own needs both addresses, even where they are the defaults:

    ```text
    export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092
    export SCHEMA_REGISTRY_URL=http://127.0.0.1:8081/apis/ccompat/v7
    python -m gateway serve
    ```
    """,
)
app.add_typer(quarantine_commands.app, name="quarantine")
app.command("import")(import_callbacks)


def _url(text: str) -> str:
    if not is_url(text.partition("?")[0]):
        raise typer.BadParameter("must start with http:// or https://, and name a host")
    return text


Url = Annotated[
    str | None,
    typer.Option(parser=_url, metavar="URL", help="Where to post; default: call-completion on GATEWAY_PORT"),
]


@app.callback()
def main(version: VersionOption = False) -> None:
    """Options before a command."""


@app.command()
def serve() -> None:
    """Serve the webhook on GATEWAY_HOST:GATEWAY_PORT, health and metrics on GATEWAY_OPS_PORT, until SIGTERM.

    While Kafka or the registry is away it answers 503, and recovers by itself.

    Exit codes: 0 after an orderly stop; 3 a port cannot be listened on; 4 another process has the spool; 6 the spool's
    directory cannot be used; 78 a setting is wrong, each is named on stderr.
    """
    settings = settings_or_exit(to_serve=True)
    configure_logging(level=settings.log_level, quiet=("aiokafka",))
    log_start("gateway", settings.shown(), settings.notes)
    _end(lambda: serve_forever(settings))


@app.command(hidden=True)
def serve_worker(number: int, hook_fd: int, control_fd: int, metrics_dir: Path) -> None:
    """Serve as one of GATEWAY_WORKERS; only `serve` starts it."""
    settings = settings_or_exit(to_serve=True)
    configure_logging(level=settings.log_level, quiet=("aiokafka",), worker=number)
    _end(lambda: serve_as_worker(settings, WorkerSlot(number, hook_fd, control_fd, metrics_dir)))


def _end(serving: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Serve to the end. A failure is one line of log and an exit code; only an unexpected one has a traceback."""
    log = structlog.get_logger()
    try:
        uvloop.run(serving())
    except SettingsError as error:
        fail(str(error), exits.SETTINGS)
    except PortError as error:
        log.critical("gateway.refused", reason=str(error), exit_code=exits.PORT_TAKEN)
        sys.exit(exits.PORT_TAKEN)
    except SpoolError as error:
        code = exits.DATA_IN_USE if isinstance(error, SpoolInUseError) else exits.DISK
        log.critical("gateway.refused", reason=f"cannot use GATEWAY_SPOOL_DIR: {error}", exit_code=code)
        sys.exit(code)
    except WorkersError as error:
        log.critical("gateway.refused", reason=str(error), exit_code=error.exit_code)
        sys.exit(error.exit_code)
    except Exception as error:
        log.critical("gateway.failed", reason=type(error).__name__, exit_code=exits.INTERNAL, exc_info=error)
        sys.exit(exits.INTERNAL)


@app.command()
def check_config() -> None:
    """Print the settings in effect, secrets only as set or unset; or every fault of them, with exit code 78.

    Notes go to stderr, such as what `serve` needs besides.
    """
    settings = settings_or_exit()
    for name, value in settings.shown().items():
        print(f"{name}={value}")
    if missing := settings.missing_to_serve():
        typer.echo(f"note: `serve` wants {' and '.join(missing)} said; the other commands take the default", err=True)
    for note in settings.notes:
        typer.echo(f"note: {note}", err=True)


@app.command()
def send(
    file: Annotated[
        str | None, typer.Argument(help="JSON to post, byte for byte; - for stdin; without it, a made-up call")
    ] = None,
    url: Url = None,
) -> None:
    """Post one callback, signed with the first of AIRUDDER_SIGNING_KEYS, and print status and answer.

    Exit code 0 for 200, else 1. The other webhooks take a `--url` that ends in their path, such as `events/some-name`:

    ```sh
    url=http://127.0.0.1:8000/webhooks/airudder/workflow-status-change
    echo '{"workflow_id": "w1"}' | python -m gateway send - --url $url
    ```
    """
    settings = settings_or_exit()
    body = _sample(settings) if file is None else sys.stdin.buffer.read() if file == "-" else _read(file)
    try:
        response = asyncio.run(_post(settings, url or _default_url(settings), body))
    except (httpx2.HTTPError, KeysError, ValueError) as error:
        reason = "no answer in time" if isinstance(error, httpx2.TimeoutException) else str(error) or repr(error)
        fail(f"not sent to {url or _default_url(settings)}: {reason}")
    print(response.status_code, response.text)
    sys.exit(0 if response.status_code == httpx2.codes.OK else 1)


@app.command()
def simulate(
    rate: Annotated[float, typer.Option(min=0.001, max=1_000_000, help="Calls per second")] = 2.0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many; default: go on until Ctrl-C")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same calls")] = None,
    url: Url = None,
) -> None:
    """Send realistic made-up traffic: several workflows, languages and SIP lines, redials, one line that turns bad.

    A call that gets 503 or 429 is sent again after Retry-After, until it is accepted or you stop. Prints how many were
    accepted. Exit code 1 when one was refused for good.
    """
    settings = settings_or_exit()
    simulation = asyncio.run(_simulate(settings, url or _default_url(settings), Random(seed), rate, count))
    print(simulation.summary())
    sys.exit(1 if simulation.refused else 0)


@app.command()
def which_scheme(
    file: Annotated[str, typer.Argument(help="The captured body, byte for byte; - for stdin")],
    signature: Annotated[str, typer.Argument(help="The captured value of the signature header")],
    header: Annotated[
        list[str] | None,
        typer.Option(help="Another captured header as 'name: value', such as webhook-id and webhook-timestamp"),
    ] = None,
) -> None:
    """Say which signature scheme and which of AIRUDDER_SIGNING_KEYS made a captured signature.

    AiRudder does not publish its algorithm: one genuine delivery settles it. Set the right key first. Exit code 0 when
    one matches, else 1.

    ```text
    export AIRUDDER_SIGNING_KEYS=prod:THE_SECRET
    python -m gateway which-scheme body.json SIGNATURE
    ```
    """
    settings = settings_or_exit()
    body = sys.stdin.buffer.read() if file == "-" else _read(file)
    pairs = [line.partition(":") for line in header or []]
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    matches = matching_schemes(body, signature.strip(), settings.load_keys(), headers)
    for match in matches:
        print(f"AIRUDDER_SIGNATURE_SCHEME={match.scheme}  (key {match.key_id})")
    if not matches:
        fail(
            "no scheme matches: is the body byte for byte as it was sent, and the key among the signing keys? "
            "standard-webhooks covers webhook-id and webhook-timestamp too: give them with --header"
        )


async def _post(settings: GatewaySettings, url: str, body: bytes) -> httpx2.Response:
    sender = Sender(settings, url)
    try:
        return await sender.post(body)
    finally:
        await sender.aclose()


async def _simulate(settings: GatewaySettings, url: str, random: Random, rate: float, count: int | None) -> Simulation:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    simulation = Simulation(settings, url, random)
    await simulation.run(rate, count, stop, lambda line: print(line, flush=True))
    return simulation


def _sample(settings: GatewaySettings) -> bytes:
    return msgspec.json.encode(Traffic(Random()).delivery(datetime.now(settings.timezone)))


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")


def _default_url(settings: GatewaySettings) -> str:
    return f"http://127.0.0.1:{settings.port}{CALL_COMPLETION_PATH}"


if __name__ == "__main__":
    app()
