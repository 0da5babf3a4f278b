"""Words of a closed set, as options of a command: a slip is exit code 2 with the choices, never "nothing found"."""

from collections.abc import Iterable

import typer


class OneOf:
    """A parser of typer's for one word of a set."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self.choices = f"[{'|'.join(words)}]"

    def __call__(self, text: str) -> str:
        """The word itself. Raises: typer.BadParameter naming the choices."""
        if text not in self._words:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(self._words)}")
        return text


def one_of(words: Iterable[str]) -> OneOf:
    """A parser that takes these words only."""
    return OneOf(tuple(words))
