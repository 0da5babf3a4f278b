"""One fault of a schema, as the developer reads it. Pure."""

from typing import NamedTuple


class Fault(NamedTuple):
    """What is wrong at one place of a schema, and what to do. `path`: the field, dotted; empty for the record."""

    path: str
    what: str
    remedy: str

    def fact(self, record: str, against: str = "") -> str:
        """What is wrong and where. against: the schema that it was found against, in words."""
        place = f"{record}.{self.path}" if self.path else record
        return f"{place}{f', against {against}' if against else ''}: {self.what}"

    def line(self, record: str, against: str = "") -> str:
        """The same with what to do, in one line."""
        return f"{self.fact(record, against)}; {self.remedy}"


def inner(path: str, name: str) -> str:
    """The path of a field within the record at `path`."""
    return f"{path}.{name}" if path else name
