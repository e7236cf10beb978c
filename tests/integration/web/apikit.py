"""An API over a practice, for tests: clients by role, and a server on a socket of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from gateway.api import Gateway
from gateway.web import serving
from gateway.web.api.app import mount
from gateway.web.tokens import Role, TokenFile
from tests.integration.practice import Practice


@dataclass
class Api:
    """An application over an open gateway."""

    practice: Practice
    gateway: Gateway
    app: Starlette
    account: str
    made: dict[tuple[Role, str | None], str] = field(default_factory=dict)

    def token(self, role: Role, account: str | None = None) -> str:
        """A token of that role (made once); for an account of its own unless it is an auditor's."""
        owner = None if role is Role.AUDITOR else account or self.account
        if (role, owner) not in self.made:
            tokens = TokenFile(self.gateway.settings.tokens_file)
            self.made[role, owner] = tokens.add(str(role), role, owner, now=datetime.now(UTC))[0]
        return self.made[role, owner]

    def client(self, role: Role | None = Role.VENDOR, account: str | None = None) -> TestClient:
        """A client with a token of that role, or without one."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.token(role, account)}"}
        return TestClient(self.app, base_url="http://127.0.0.1/v1", headers=headers, raise_server_exceptions=False)

    @contextmanager
    def served(self, *, deliver: bool = False) -> Iterator[str]:
        """The same on a real socket, with deliveries when asked; gives its address."""
        ports: list[int] = []
        stop: list[asyncio.Event] = []
        faults: list[BaseException] = []

        async def main() -> None:
            stop.append(asyncio.Event())
            await serving.run(self.gateway, self.app, stop[0], deliver=deliver, started=ports.append)

        loop = asyncio.new_event_loop()

        def run() -> None:
            try:
                loop.run_until_complete(main())
            except BaseException as fault:  # noqa: BLE001 (told to the test)
                faults.append(fault)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_for(lambda: bool(ports) or bool(faults))
            assert not faults, faults
            yield f"http://127.0.0.1:{ports[0]}/v1"
        finally:
            if stop and thread.is_alive():
                loop.call_soon_threadsafe(stop[0].set)
            thread.join(30)
            loop.close()
        assert not faults, faults


def open_api(practice: Practice, account: str) -> Api:
    """The API over a practice, its address set to any free port of this machine."""
    text = practice.config.read_text(encoding="utf-8")
    if "[web]" not in text:
        text += '\n[web]\nlisten = "127.0.0.1:0"\nrequests_per_minute = 100000\n'
        practice.config.write_text(text, encoding="utf-8")
    gateway = Gateway.open(practice.config)
    return Api(practice, gateway, Starlette(routes=[mount(gateway)]), account)


def wait_for(true: Any, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])
