"""The rights of the roles as a table."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from streams import output
from streams.topics.acls import Grant


def print_table(grants: Iterable[Grant]) -> None:
    """Print a row for each thing that a role has rights on."""
    table = Table("role, user", "on", "rights", box=SIMPLE_HEAD)
    for grant in grants:
        by_name: dict[str, list[str]] = {}
        for right in grant.rights:
            name = f"{right.resource.lower()} {right.name}{'*' if right.is_prefix else ''}"
            by_name.setdefault(name, []).append(right.operation)
        for number, (name, operations) in enumerate(by_name.items()):
            table.add_row(f"{grant.role}, {grant.principal}" if number == 0 else "", name, ", ".join(operations))
    output.console().print(table)
