from __future__ import annotations

import socket

import pytest

from streams.local.errors import PortTakenError
from streams.local.ports import FREE_RANGE, claim_port, free_ports, is_free


def test_free_ports_differ_and_are_none_that_an_outgoing_connection_is_given() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert set(ports) <= set(FREE_RANGE)


def test_a_free_port_is_claimed_as_asked_for() -> None:
    (port,) = free_ports(1)

    assert claim_port(port, "--kafka-port") == port


def test_port_zero_is_any_free_port() -> None:
    assert claim_port(0, "--kafka-port") in FREE_RANGE


def test_a_taken_port_is_refused_naming_port_and_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(PortTakenError, match=rf"port {port} of 127\.0\.0\.1 is taken.*--kafka-port"):
            claim_port(port, "--kafka-port")


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(PortTakenError, match="--monitor-port"):
        claim_port(port, "--monitor-port")


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])

    assert is_free(free_ports(1)[0])
