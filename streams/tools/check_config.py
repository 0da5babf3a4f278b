"""`python -m streams check-config`: the settings in effect of each role, or every fault of them."""

import sys
from collections.abc import Mapping

from streams.monitor.settings import MonitorSettings
from streams.settings import FrontDoorSettings, StreamsSettings, TopicSettings, WorkerSettings

LINE = "{name}={value}"
NOT_JUDGED = "the signing keys are judged by `python -m gateway check-config` alone"
SETTINGS: Mapping[str, type[StreamsSettings]] = {
    "gateway": FrontDoorSettings,
    "worker": WorkerSettings,
    "monitor": MonitorSettings,
    "topics": TopicSettings,
}


async def print_config(environ: Mapping[str, str], role: str | None) -> None:
    """Print the settings in effect as NAME=value, below the roles that read them; notes go to stderr.

    Raises: SettingsError naming every fault at once.
    """
    wanted = list(SETTINGS) if role is None else [role]
    read = {role: SETTINGS[role].from_env(environ) for role in wanted}
    lines = (
        [LINE.format(name=name, value=value) for name, value in read[role].shown().items()]
        if role
        else _lines_by_roles(read)
    )
    for line in lines:
        print(line)  # noqa: T201  # a command line prints
    notes = {note for settings in read.values() for note in settings.notes}
    for note in sorted(notes) + ([NOT_JUDGED] if "gateway" in read else []):
        print(f"note: {note}", file=sys.stderr)  # noqa: T201


def _lines_by_roles(read: Mapping[str, StreamsSettings]) -> list[str]:
    """Each setting once, below a comment that names the roles using it; settings of most roles first."""
    values: dict[str, str] = {}
    users: dict[str, list[str]] = {}
    for role, settings in read.items():
        for name, value in settings.shown().items():
            values[name] = value
            users.setdefault(name, []).append(role)
    lines: list[str] = []
    for together in sorted({tuple(roles) for roles in users.values()}, key=lambda roles: (-len(roles), roles)):
        lines.append(f"# {', '.join(together)}")
        lines += [LINE.format(name=n, value=values[n]) for n, roles in users.items() if tuple(roles) == together]
    return lines
