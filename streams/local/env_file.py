"""`DATA_DIR/env`: the addresses and settings of this system, for the tools of another shell to source."""

import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

from schemas.runtime.environment import FILE
from schemas.runtime.settings import IN_FILES, NAMES
from streams.local.errors import DATA_REMEDY, disk_error

HEAD = "# Written by `streams up`: what the tools need to reach this system from another shell.\n"
STARTED_HERE = "  # started by `streams up`"


def tools_environment(environ: Mapping[str, str], of_roles: Mapping[str, str]) -> dict[str, str]:
    """The settings in `environ` with those of the roles in their place. Emptied: what the roles must not take."""
    settings = {*NAMES, *(name + FILE for name in IN_FILES)}
    given = {name: value for name, value in environ.items() if name in settings and value.strip()}
    merged = given | {name: value for name, value in of_roles.items() if name in settings}
    return {name: value for name, value in sorted(merged.items()) if value or name in given}


def write_env_file(path: Path, environment: Mapping[str, str], started_here: Collection[str]) -> None:
    """One `export` a line; for the owner's eyes only, as there may be secrets.

    started_here: the variables that name a service of this `up`. Raises: LocalDiskError.
    """
    lines = [
        f"export {name}={shlex.quote(value)}{STARTED_HERE if name in started_here else ''}\n"
        for name, value in environment.items()
    ]
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("".join((HEAD, *lines)))
        temporary.replace(path)
    except OSError as error:
        raise disk_error(error, path.parent, DATA_REMEDY) from error


def without_own_services(environ: Mapping[str, str], path: Path) -> dict[str, str]:
    """`environ` without the services that an earlier `up` started and wrote to `path`.

    A shell that has sourced the file can start `up` again: its own broker is not taken for one that runs elsewhere.
    """
    own = read_env_file(path, STARTED_HERE)
    return {name: value for name, value in environ.items() if own.get(name) != value}


def read_env_file(path: Path, ending: str = "") -> dict[str, str]:
    """What `up` wrote there; of the lines with this ending. Empty without a file that can be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    exports = [line for line in lines if line.startswith("export ") and line.endswith(ending)]
    pairs = [shlex.split(line, comments=True)[1].partition("=") for line in exports]
    return {name: value for name, _, value in pairs}
