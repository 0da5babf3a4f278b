"""A consumer to copy, with the addresses and topics of one system in the place of those in the file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from schemas.topics import Topic
from streams.local.env_file import read_env_file
from streams.settings import StreamsSettings
from streams.tools.examples.catalogue import EXAMPLES, Example

ENV_FILE: Final = Path(".data/env")
BOOTSTRAP_SERVERS: Final = "127.0.0.1:9092"  # as the files have it
REGISTRY_URL: Final = "http://127.0.0.1:8081/apis/ccompat/v7"


def settings_here(environ: Mapping[str, str]) -> StreamsSettings:
    """Of `environ`, else of the system whose `.data/env` is in this directory. Raises: SettingsError."""
    return StreamsSettings.from_env({**read_env_file(ENV_FILE), **environ})


def program(example: Example, settings: StreamsSettings, topics: Sequence[Topic]) -> str:
    """The file with this system's addresses and these topics, under the lines that install and start it."""
    text = (EXAMPLES / example.file).read_text(encoding="utf-8")
    names = settings.kafka.names
    places = {
        REGISTRY_URL: settings.registry.url,
        BOOTSTRAP_SERVERS: settings.kafka.bootstrap_servers,
        ",".join(topic.name for topic in example.topics): ",".join(names.of(topic) for topic in topics),
    }
    found = re.compile("|".join(map(re.escape, places)))
    head = "".join(f"{example.comment} {line}\n" for line in steps(example, settings))
    return head + found.sub(lambda match: places[match[0]], text)


def steps(example: Example, settings: StreamsSettings) -> list[str]:
    """What to type, and what to add by hand."""
    protocol = settings.kafka.security_protocol
    secured = [f"this Kafka is reached by {protocol}: add it to the client's settings"] * (protocol != "PLAINTEXT")
    return [f"save as {example.name}, then:", f"  {example.install(example.folder)}", f"  {example.start}", *secured]
