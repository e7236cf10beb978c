"""The other side of the crash tests: counts what it physically received, and knows nothing of the gateway.

One line in, one line out. `SEND <id>` counts a reception once the whole line is there; `ASK <id>` tells whether it was
received, after everything that connected earlier has been read to its end (a killed sender's last bytes included).
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Self


class Sink:
    """A TCP server on loopback, in a thread of its own."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.asked = 0
        self._open: dict[int, asyncio.Event] = {}
        self._number = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=128)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self._number = self._number, self._number + 1
        earlier = list(self._open.values())
        done = self._open[number] = asyncio.Event()
        try:
            line = await reader.readline()
            if line.endswith(b"\n"):  # half a line is half a message: not received
                verb, identity = line.decode().split()
                writer.write(await self._answer(verb, identity, earlier, done))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            done.set()
            del self._open[number]
            writer.close()

    async def _answer(self, verb: str, identity: str, earlier: list[asyncio.Event], done: asyncio.Event) -> bytes:
        if verb == "SEND":
            self.received[identity] += 1
            return b"250\n"
        self.asked += 1
        done.set()  # two questions must not wait for each other
        for other in earlier:
            await other.wait()
        return b"YES\n" if self.received[identity] else b"NO\n"
