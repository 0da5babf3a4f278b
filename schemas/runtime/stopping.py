"""A role's orderly stop: an event that SIGTERM or SIGINT sets."""

import asyncio
import signal
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopEvent(asyncio.Event):
    """Set by SIGTERM or SIGINT. reason: the name of the first, such as SIGTERM; empty before. Needs a running loop."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        self.reason = self.reason or number.name
        self.set()
