"""Write `schemas/examples/records/`: `python -m tests.support.example_records.write`. Starts a Kafka and a registry.

Run it when a record has a new field, or a topic is new, then `python -m schemas asyncapi`.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from streams.topics.schemas import apply_schemas
from tests.support.example_records.files import write
from tests.support.example_records.making import make_examples
from tests.support.processes.service import KafkaProcess, RegistryProcess, ServiceProcess


def main() -> None:
    """Make the records and write them."""
    ServiceProcess.is_allowed = True
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        for name in ("kafka", "registry", "roles"):
            (room / name).mkdir()
        with KafkaProcess(room / "kafka") as kafka, RegistryProcess(room / "registry") as registry:
            asyncio.run(apply_schemas(registry.url))
            write(asyncio.run(make_examples(kafka.bootstrap_servers, registry.url, room / "roles")))


if __name__ == "__main__":
    main()
