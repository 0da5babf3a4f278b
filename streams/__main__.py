"""`python -m streams`: everything on this machine (`up`), or one role, or a tool. The commands are in `commands/`."""

import typer

from schemas.runtime.build import VersionOption
from streams.commands import checks, dead_letters, growing, roles, schemas, subscribers, topics
from streams.commands.options import OPERATORS

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    help="""Streams of AiRudder's callbacks: everything on this machine (`up`), one role at a time, or a tool.

    Settings come from the environment; `check-config` prints them all. The tools of a second shell, while `up` runs:

    ```sh
    . .data/env
    python -m streams lag
    ```
    """,
)
for group in (roles, subscribers, checks, growing):
    app.add_typer(group.app)
app.add_typer(topics.app, name="topics", rich_help_panel=OPERATORS)
app.add_typer(schemas.app, name="schemas", rich_help_panel=OPERATORS)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=OPERATORS)


@app.callback()
def main(version: VersionOption = False) -> None:
    """Options before a command."""


if __name__ == "__main__":
    app()
