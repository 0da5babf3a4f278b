"""The version and the commit of this build, for `--version`, the first line of a log, and a metric."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import typer
from prometheus_client import CollectorRegistry, Gauge

from schemas.runtime.commit import commit_of_checkout, written_commit

Role = Literal["gateway", "worker", "monitor"]

DISTRIBUTION: Final = "airudder-kafka"
UNKNOWN: Final = "unknown"
_ROOT: Final = Path(__file__).parents[2]


class Build(NamedTuple):
    """commit: 40 hex digits, or `unknown`."""

    version: str
    commit: str


@cache
def this_build() -> Build:
    """The build of this process. The commit is that of the checkout, or the one that the build wrote."""
    try:
        number = version(DISTRIBUTION)
    except PackageNotFoundError:
        number = UNKNOWN
    return Build(number, commit_of_checkout(_ROOT) or written_commit(_ROOT) or UNKNOWN)


def show_build(role: Role, registry: CollectorRegistry) -> None:
    """Add `airudder_build_info` to a role's metrics."""
    info = Gauge(
        "airudder_build_info",
        "Always 1; the version and the commit that run.",
        ["version", "commit", "role"],
        registry=registry,
    )
    info.labels(*this_build(), role).set(1)


def _print(is_asked: bool) -> None:
    if is_asked:
        build = this_build()
        typer.echo(f"{DISTRIBUTION} {build.version} (commit {build.commit})")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_print, is_eager=True, help="Print version and commit, and exit.")
]
