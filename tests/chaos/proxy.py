"""A bad network on loopback: proxies between each worker and the broker that can stall, or cut every connection.

The broker has a listener for each worker and advertises the proxy's port there, so that all of a worker's connections, also those
that it learns of from metadata, come through its own proxy.
"""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65536
_STOP_S = 5.0


class Proxy:
    """One worker's way to the broker. All methods may be called from any thread.

    Attributes:
        port: clients connect here.
        target_port: where their bytes go; set it before the first connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.port = 0
        self.target_port = 0
        self._loop = loop
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stall(self) -> None:
        """Nothing goes through any more, in either direction; connections stay, and new ones are taken."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def flow(self) -> None:
        """What waited goes on."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """End."""
        if self._server is not None:
            self._server.close()
        self._flows.set()
        self._abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._flows.wait()
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:  # the broker is down
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(up_writer)
        await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        self._writers -= {writer, up_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort() if writer.is_closing() else writer.close()


class Network:
    """Some proxies, in a thread with an event loop of their own, until the block ends."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.loop = asyncio.new_event_loop()
        self.proxies = {name: Proxy(self.loop) for name in names}
        self._thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for proxy in self.proxies.values():
            asyncio.run_coroutine_threadsafe(proxy.open(), self.loop).result(_STOP_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for proxy in self.proxies.values():
            asyncio.run_coroutine_threadsafe(proxy.close(), self.loop).result(_STOP_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_STOP_S)
        self.loop.close()
