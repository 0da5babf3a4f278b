"""`python -m schemas`: the contract's own tools. They need neither Kafka nor a registry."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from schemas.documents.files import documents, stale, write
from schemas.documents.models.files import models as model_texts
from schemas.evolution.releases import Releases
from schemas.runtime import exits
from schemas.runtime.build import VersionOption

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The public contract of the topics: its schemas, their versions, and the documents written from them.",
)
FOLDER = Path(__file__).parent


@app.callback()
def main(version: VersionOption = False) -> None:
    """Options before a command."""


@app.command()
def check() -> None:
    """Check that each schema may follow all its released versions, and is released. Exit code 1 names every fault."""
    _end_with(Releases().check())
    typer.echo("every schema is released")


@app.command()
def release() -> None:
    """Keep every changed schema as the next version of its record, for good. Exit code 1 when one may not follow."""
    releases = Releases()
    _end_with(releases.refusals())
    for path in releases.release():
        typer.echo(path)


Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a file is stale.")]


@app.command()
def asyncapi(check: Check = False) -> None:
    """Write `asyncapi.yaml` and `TOPICS.md` from the topics, schemas, headers and example records."""
    _generate("asyncapi", documents(), check)


@app.command()
def models(check: Check = False) -> None:
    """Write the typed models of every public record, for Python and TypeScript, from the schemas."""
    _generate("models", model_texts(), check)


def _generate(command: str, texts: Mapping[str, str], is_check: bool) -> None:
    names = stale(FOLDER, texts) if is_check else write(FOLDER, texts)
    for name in names:
        told = f"is stale: run python -m schemas {command}" if is_check else "written"
        typer.echo(f"schemas/{name}: {told}", err=is_check)
    if is_check and names:
        raise typer.Exit(exits.NO)


def _end_with(faults: Sequence[str]) -> None:
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(exits.NO)


if __name__ == "__main__":
    app(prog_name="python -m schemas")
