"""Options that several commands have, and the panels of the page of help."""

from typing import Annotated

import typer

from schemas.runtime.options import epoch_ms

ROLES = "Roles"
OPERATORS = "For operators"
SUBSCRIBERS = "For subscribers"

From = Annotated[
    int | None,
    typer.Option(
        "--from", parser=epoch_ms, metavar="ISO", help="From then on: 2024-03-11T13:25:00, UTC without a zone."
    ),
]
Until = Annotated[
    int | None, typer.Option("--to", parser=epoch_ms, metavar="ISO", help="Before then, in the same form.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table.")]
