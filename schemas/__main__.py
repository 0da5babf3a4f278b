"""`python -m schemas`: the contract's own tools. They need neither Kafka nor a registry."""

from collections.abc import Sequence

import typer

from schemas.evolution.releases import Releases
from schemas.runtime import exits
from schemas.runtime.build import VersionOption

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The public contract of the topics: its schemas and their versions.",
)


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


def _end_with(faults: Sequence[str]) -> None:
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(exits.NO)


if __name__ == "__main__":
    app(prog_name="python -m schemas")
