"""The five states in which every view is looked at: how a system gets there, and how it leaves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import psutil

from gateway.sender.traffic import BAD_LINE, WORKFLOWS
from tests.browser.traffic import send, wait_until_counted
from tests.support.processes.up import Up
from tests.support.waiting import wait_until_true

CALLS: Final = 240
UNREAD: Final = 24
SEEN_S: Final = 60.0


@dataclass(frozen=True)
class State:
    """One state: its name, one of the words that the headline then has, whether there are calls, how to be in it."""

    name: str
    headlines: tuple[str, ...]
    has_calls: bool
    enter: Callable[[Up], AbstractContextManager[None]]


def views(up: Up, *, has_calls: bool) -> dict[str, str]:
    """Every view by name: its path. Those of one line and one workflow are there once it has calls."""
    group = health_of(up, "lag")["groups"][0]["consumergroup"]
    found = {
        "overview": "/",
        "lag": "/lag",
        "partition": f"/lag/{group}/airudder.callbacks.v1/0",
        "lines": "/lines",
        "workflows": "/workflows",
        "losses": "/losses",
    }
    if not has_calls:
        found["docs"] = "/docs"  # the same in every state, and the longest of all
    else:
        found |= {"line": f"/lines/{BAD_LINE}", "workflow": f"/workflows/{WORKFLOWS[1].id}"}
    return found


def health_of(up: Up, name: str = "health") -> Any:
    """The answer of /api/NAME."""
    return httpx2.get(f"{up.url('monitor')}api/{name}", timeout=30).json()


@contextmanager
def _no_data(_: Up) -> Iterator[None]:
    yield


@contextmanager
def _flowing(up: Up) -> Iterator[None]:
    send(up, CALLS, seed=1)
    wait_until_counted(up, CALLS)
    yield


@contextmanager
def _one_bad_line(up: Up) -> Iterator[None]:
    send(up, CALLS, seed=2, is_bad=True)
    wait_until_counted(up, 2 * CALLS)
    _wait_until_said(up, "degraded", "broken", about=BAD_LINE)
    yield


@contextmanager
def _worker_stopped(up: Up) -> Iterator[None]:
    with frozen(up.role("streams", "worker")):
        send(up, UNREAD, seed=3)
        _wait_until_said(up, "broken", about="streams: ")
        yield
    wait_until_counted(up, 2 * CALLS + UNREAD)


@contextmanager
def _kafka_frozen(up: Up) -> Iterator[None]:
    [broker] = [
        child for child in psutil.Process(up.process.pid).children(recursive=True) if "kafka.Kafka" in child.cmdline()
    ]
    with frozen(broker):
        _wait_until_said(up, "blind", "broken", about="lag")
        yield


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """The process stands still as long as the block lasts; its connections stay open."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _wait_until_said(up: Up, *states: str, about: str) -> None:
    def said() -> bool:
        health = health_of(up)
        return any(about in problem["what"] for problem in health["problems"]) and health["state"] in states

    wait_until_true(said, SEEN_S, f"{' or '.join(states)} about {about}: {health_of(up)}")


# In this order: each begins where the one before ended.
STATES: Final = (
    State("no data", ("OK",), has_calls=False, enter=_no_data),
    State("flowing", ("OK",), has_calls=True, enter=_flowing),
    State("one bad line", (BAD_LINE,), has_calls=True, enter=_one_bad_line),
    State("worker stopped", ("Broken",), has_calls=True, enter=_worker_stopped),
    # first nothing can be read; then probes are lost, too, and the gateway answers 503
    State("Kafka frozen", ("Blind", "Broken"), has_calls=True, enter=_kafka_frozen),
)
