"""A TCP proxy on loopback that can swallow what goes through it, as a network that drops packets does."""

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
        self._victims: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def swallow(self) -> None:
        """From now on: connections open, bytes go in, nothing comes out."""
        self._is_swallowing = True

    def forward(self) -> None:
        """Forward again; connections that lost bytes are cut, new ones work."""
        self._is_swallowing = False
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
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(CHUNK_BYTES):
                if self._is_swallowing:
                    self._victims.add(sink)
                    continue
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    def _cut_victims(self) -> None:
        for writer in self._victims:
            writer.transport.abort()
        self._victims.clear()
