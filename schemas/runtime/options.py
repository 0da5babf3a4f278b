"""Parsers for options of the commands. A wrong word or instant ends the command with exit code 2."""

from collections.abc import Iterable

import typer

from schemas.runtime import instants, rules


class OneOf:
    """A parser for one word of a closed set. `choices` lists the words, for the help."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self.choices = ", ".join(words)

    def __call__(self, text: str) -> str:
        """The word itself. Raises: typer.BadParameter naming the choices."""
        if text not in self._words:
            raise typer.BadParameter(f"{text!r} is not one of {self.choices}")
        return text


def one_of(words: Iterable[str]) -> OneOf:
    """A parser that accepts only these words."""
    return OneOf(tuple(words))


def epoch_ms(text: str) -> int:
    """ISO 8601 as UTC epoch ms; without an offset it is UTC. Raises: typer.BadParameter naming the form."""
    try:
        return instants.parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is {error}") from error


def topic_prefix(text: str) -> str:
    """A prefix of topics' names; may be empty. Raises: typer.BadParameter."""
    try:
        return rules.topic_prefix(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from error
