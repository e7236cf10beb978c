"""A gateway in a process of its own that only delivers, until it is killed or its input ends."""

from __future__ import annotations

import asyncio
import sys

from gateway.api import Gateway


async def _until_told(gateway: Gateway) -> None:
    stop = asyncio.Event()
    reader = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    reader.add_done_callback(lambda _: stop.set())
    await gateway.arun(stop)


if __name__ == "__main__":
    with Gateway.open(sys.argv[1]) as opened:
        asyncio.run(_until_told(opened))
