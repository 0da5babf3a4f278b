"""Who a worker is in its group: a name kept with its data, and where that data lies.

The name gives it its partitions back at once after a restart. A copy of the data (a restored snapshot, a cloned volume)
has the same name, and with it two workers would push each other out of the group for ever. So the client id has the
place of the data, too: a worker does not join while its name is in use elsewhere, and ends when it was pushed out.
"""

import hashlib
import os
import socket
import uuid
from pathlib import Path
from typing import Any, NamedTuple

_FILE = "instance-id"
_PLACE_CHARS = 12


class Identity(NamedTuple):
    """`name` is the same in every copy of the data directory, `place` in none."""

    name: str
    place: str

    @property
    def client_id(self) -> str:
        """The client id, as brokers and their tools show it."""
        return f"{self.name}-{self.place}"

    def hosts_elsewhere(self, group: Any) -> set[str]:
        """The hosts of members with this name and another place. group: as Kafka describes it."""
        return {
            member["client_host"].lstrip("/")
            for member in group["members"]
            if member["client_id"].startswith(f"{self.name}-") and member["client_id"] != self.client_id
        }


def identity_of(group: str, data_dir: Path) -> Identity:
    """The name, made up at the first start. Raises: OSError."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / _FILE
    if not (path.exists() and path.read_text().strip()):
        new = data_dir / f"{_FILE}.new"
        new.write_text(uuid.uuid4().hex)
        os.replace(new, path)
    place = f"{socket.gethostname()} {path.resolve()} {path.stat().st_ino}"
    return Identity(f"{group}-{path.read_text().strip()}", hashlib.sha256(place.encode()).hexdigest()[:_PLACE_CHARS])
