"""Listeners get the newest of each kind and never a backlog."""

from __future__ import annotations

import asyncio
from functools import partial
from unittest.mock import Mock

import pytest

from streams.monitor import events
from streams.monitor.errors import TooManyListenersError
from streams.monitor.events import EventHub


async def test_a_new_listener_first_hears_the_newest_of_each_kind() -> None:
    hub = EventHub()
    for kind, data in (("lag", "old"), ("outcomes", "o"), ("lag", "new")):
        hub.publish(kind, partial(str, data))  # type: ignore[arg-type]  # the table's strings are kinds
    listener = hub.listen()

    assert [await anext(listener) for _ in range(2)] == [("outcomes", 2, "o"), ("lag", 3, "new")]


async def test_a_waiting_listener_hears_what_comes() -> None:
    hub = EventHub()
    listener = hub.listen()
    waiting = asyncio.ensure_future(anext(listener))
    await asyncio.sleep(0)
    hub.publish("lag", lambda: "now")

    assert await waiting == ("lag", 1, "now")


async def test_a_slow_listener_skips_what_was_overtaken() -> None:
    hub = EventHub()
    listener = hub.listen()
    hub.publish("lag", lambda: "1")
    heard = [await anext(listener)]
    for number in range(2, 100):
        hub.publish("lag", partial(str, number))
    heard.append(await anext(listener))

    assert heard == [("lag", 1, "1"), ("lag", 99, "99")]


async def test_no_more_may_listen_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_LISTENERS", 1)
    hub = EventHub()
    with hub.place(), pytest.raises(TooManyListenersError), hub.place():
        pass

    with hub.place():
        assert hub.listeners == 1


async def test_what_nobody_hears_is_not_made() -> None:
    hub, made = EventHub(), Mock(side_effect=str)
    for number in range(3):
        hub.publish("lag", partial(made, number))

    assert made.call_count == 0
    assert [await anext(hub.listen()) for _ in range(2)] == [("lag", 3, "2")] * 2
    assert made.call_count == 1
