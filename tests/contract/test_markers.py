"""The fast subset, `pytest -m "not broker"`, starts no Java: what would start it is marked by itself, or fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes.service import JavaIsNotMeant, KafkaProcess, RegistryProcess


@pytest.mark.parametrize("service", [KafkaProcess, RegistryProcess])
def test_a_test_without_the_marker_starts_no_java(
    service: type[KafkaProcess | RegistryProcess], tmp_path: Path
) -> None:
    with pytest.raises(JavaIsNotMeant, match="broker"):
        service(tmp_path).start()


def test_a_test_is_marked_by_the_fixtures_it_reaches_and_by_its_room(request: pytest.FixtureRequest) -> None:
    """Of all that was collected with this one."""
    for item in request.session.items:
        reaches = {"kafka_bootstrap", "registry_url", "start_kafka", "start_registry"} & set(
            getattr(item, "fixturenames", ())
        )
        is_in_room = {"integration", "faults", "examples", "browser"} & set(item.path.parts)
        assert (item.get_closest_marker("broker") is not None) == bool(reaches or is_in_room), item.nodeid
