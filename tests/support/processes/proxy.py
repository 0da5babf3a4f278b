"""A TCP proxy on loopback that can swallow or delay what goes through it, as bad networks and slow brokers do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from streams.local.ports import LOOPBACK, free_ports

CHUNK_BYTES = 65536


class Proxy:
    """Listens on `port` and forwards to a port to be set. Runs in a thread with a loop of its own."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.target_port = 0
        self._is_swallowing = False
        self._delay_s = 0.0
        self._victims: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def swallow(self) -> None:
        """From now on: connections open, bytes go in, nothing comes out."""
        self._is_swallowing = True

    def delay(self, seconds: float) -> None:
        """From now on: what the broker answers arrives so much later, in order and complete."""
        self._delay_s = seconds

    def forward(self) -> None:
        """Forward again, at once; connections that lost bytes are cut, new ones work."""
        self._is_swallowing = False
        self._delay_s = 0.0
        self._loop.call_soon_threadsafe(self._cut_victims)

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, LOOPBACK, self.port), self._loop)
        self._server = started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(LOOPBACK, self.target_port)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer, is_answer=True))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool = False) -> None:
        """Forward until the source ends. What is on its way is not overtaken when the delay gets shorter."""
        underway: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.create_task(self._deliver(underway, sink))
        try:
            while chunk := await source.read(CHUNK_BYTES):
                if self._is_swallowing:
                    self._victims.add(sink)
                    continue
                underway.put_nowait((self._loop.time() + (self._delay_s if is_answer else 0), chunk))
            underway.put_nowait((0, b""))
            await delivering
        except OSError:
            pass
        finally:
            delivering.cancel()
            sink.close()

    async def _deliver(self, underway: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while (arrival := await underway.get())[1]:
            await asyncio.sleep(max(0.0, arrival[0] - self._loop.time()))
            sink.write(arrival[1])
            await sink.drain()

    def _cut_victims(self) -> None:
        for writer in self._victims:
            writer.transport.abort()
        self._victims.clear()
