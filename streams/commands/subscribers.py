"""`tail`, `trace-call` and `example`: for those who read the topics."""

import os
import sys
from typing import Annotated, Final, Literal, get_args

import typer

from schemas.runtime.options import one_of
from schemas.topics import BY_NAME, BY_SHORT_NAME, Topic
from streams.commands.options import SUBSCRIBERS, From
from streams.commands.running import run
from streams.tools.examples.catalogue import LANGUAGES

Form = Literal["json", "table"]

FORMS: Final = one_of(get_args(Form))
LANGUAGE: Final = one_of(LANGUAGES)
ALL: Final = "all"  # topics that one program reads together
TRACE_FORMS: Final = one_of(("text", "json"))

app = typer.Typer()


def _topic(text: str) -> Topic:
    """A topic by its full or its short name. Raises: typer.BadParameter naming the short ones."""
    topic = BY_SHORT_NAME.get(text) or BY_NAME.get(text)
    if topic is None:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(BY_SHORT_NAME)}")
    return topic


TopicName = Annotated[
    Topic,
    typer.Argument(parser=_topic, metavar="TOPIC", help=f"The full name, or a short one: {', '.join(BY_SHORT_NAME)}."),
]


@app.command(rich_help_panel=SUBSCRIBERS)
def tail(
    topic: TopicName,
    workflow: Annotated[str | None, typer.Option(help="Only records of this workflow_id.")] = None,
    sip_line: Annotated[str | None, typer.Option(help="Only records of this SIP line.")] = None,
    call: Annotated[str | None, typer.Option(help="Only records of this call_id.")] = None,
    from_: From = None,
    form: Annotated[
        str, typer.Option("--output", "-o", parser=FORMS, metavar="FORM", help="json: a line a record; or table.")
    ] = "json",
    headers: Annotated[bool, typer.Option("--headers", help="With the records' headers, in JSON.")] = False,
    mask: Annotated[bool, typer.Option("--mask", help="Without personal data: *** in their place, in JSON.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many records.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for new records; or end where the topic ends now.")
    ] = True,
) -> None:
    """Print the records of a topic, decoded, as they come, until Ctrl-C. Without `--from` those from now on.

    **It prints phone numbers and what was said**, which is what subscribers read; `--mask` leaves them out, and a table
    has none. `--from` is the time of the append, and with `--no-follow` it may be left out: all that is there.

    Reads committed records only and joins no group. A record that cannot be decoded is printed with `error`.

    ```sh
    python -m streams tail calls --no-follow --limit 1 --mask
    ```

    Exit codes: 0 after Ctrl-C, the limit or the end; 6 stdout cannot be written; 69 Kafka or the registry is away.
    """
    from streams.tools.selecting import Wanted
    from streams.tools.tail.command import TailOptions, print_tail

    wanted = Wanted(workflow, sip_line, call)
    if impossible := wanted.impossible(topic.record):
        names = ", ".join(name.replace("_", "-") for name in impossible)
        raise typer.BadParameter(f"the records of {topic.name} have no such field", param_hint=f"--{names}")
    options = TailOptions(topic, wanted, from_, form, headers, mask, limit, follow)  # type: ignore[arg-type]
    raise typer.Exit(run(lambda: print_tail(os.environ, options)))


def _topic_or_all(text: str) -> str:
    return text if text == ALL else _topic(text).short_name


@app.command(rich_help_panel=SUBSCRIBERS)
def example(
    language: Annotated[str, typer.Argument(parser=LANGUAGE, metavar="LANG", help=f"One of {LANGUAGE.choices}.")],
    topic: Annotated[
        str,
        typer.Argument(
            parser=_topic_or_all, metavar="TOPIC", help="As of `tail`; `all` of a program that reads several."
        ),
    ],
) -> None:
    """Print a consumer to copy, with the addresses of this system in it and the lines that install and start it.

    Addresses come from the environment, else from `.data/env`. What to type next is on stderr, too.

    ```sh
    python -m streams example python calls > consumer.py
    ```

    Exit codes: 0; 2 there is no such program; 78 a setting is wrong.
    """
    from streams.tools.examples.writing import program, settings_here, steps

    chosen = LANGUAGES[language]
    readable: dict[str, tuple[Topic, ...]] = {each.short_name: (each,) for each in chosen.readable}
    if len(chosen.topics) > 1:
        readable[ALL] = chosen.topics
    if topic not in readable:
        raise typer.BadParameter(f"{language} reads one of {', '.join(readable)}", param_hint="TOPIC")

    async def print_it() -> None:
        settings = settings_here(os.environ)
        print(program(chosen, settings, readable[topic]), end="")
        if not sys.stdout.isatty():
            print("\n".join(steps(chosen, settings)), file=sys.stderr)

    run(print_it)


@app.command(rich_help_panel=SUBSCRIBERS)
def trace_call(
    call_id: Annotated[str, typer.Argument(help="The call_id, as the provider sends it.")],
    from_: From = None,
    form: Annotated[
        str,
        typer.Option("--output", "-o", parser=TRACE_FORMS, metavar="FORM", help="text, without personal data; json."),
    ] = "text",
    mask: Annotated[bool, typer.Option("--mask", help="Without personal data, in JSON.")] = False,
) -> None:
    """Print everything of one call: deliveries, revisions, answers, attempts, windows, and where it stopped.

    It reads the partition of the call's key, and all dead letters and refused requests; where that does not say where
    the call came from, the callbacks of all other keys too. The last lines say how far it searched; `--from`, the time
    of the append, makes that less. The text has no personal data, **JSON has all of it** unless `--mask`.

    ```sh
    python -m streams trace-call readme-call || echo "exit code $?"
    ```

    Exit codes: 0 something of it is there; 1 nothing is; 69 Kafka or the registry is away.
    """
    from streams.tools.tracing.command import TraceOptions, print_trace

    options = TraceOptions(call_id, from_, form == "json", mask)
    raise typer.Exit(run(lambda: print_trace(os.environ, options)))
