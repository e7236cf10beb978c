"""The audit pages over a practice with a history: what was sent, what failed, what a person must do; for tests."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from gateway.api import Gateway
from gateway.clock import SystemClock
from gateway.settings import Settings, load
from gateway.web.app import create_app
from gateway.web.tokens import Role, TokenFile
from tests.integration.practice import Practice, case, open_practice

ANKLE = "01_entorse_cheville_bilan"
OTHER = "03_epaule_operee_bilan"
REPORT = "01_entorse_cheville_compte_rendu"
NAMES = ("Claire Martin", "Auditrice ARS", "Logiciel")


@dataclass
class Site:
    """A practice, its open gateway, the application, and a token of each role (`practice` is the ankle's account)."""

    practice: Practice
    gateway: Gateway
    settings: Settings
    app: Starlette
    account: str
    tokens: dict[str, str]

    @property
    def database(self) -> Path:
        return Path(self.settings.store.url.removeprefix("sqlite:///"))

    def submit(self, name: str = ANKLE) -> str:
        """Hand a case in; returns the document's id."""
        return self.gateway.submit(json.dumps(case(name)).encode()).document_id

    def deliver(self) -> None:
        """Try what is due, in a thread of its own: Playwright keeps an event loop in the main one."""
        thread = threading.Thread(target=self.gateway.deliver_due)
        thread.start()
        thread.join()

    def refused(self) -> str:
        """The treatment summary of the ankle, refused for good by the operator; returns the delivery's id."""
        self.practice.box.faults.set("mssante", "reject")
        self.submit(REPORT)
        self.deliver()
        self.practice.box.faults.clear("mssante")
        return next(one.id for one in self.gateway.deliveries(states=["dead"]))


def open_site(folder: Path, certificates: Path | None = None) -> Site:
    """Open a practice and its pages. Close with `close_site`."""
    practice = open_practice(folder, certificates=certificates)
    settings = load(practice.config)
    gateway = Gateway.open(settings)
    account = case(ANKLE)["account"]
    file, now = TokenFile(settings.tokens_file), SystemClock().now()
    tokens = {
        role.value: file.add(name, role, None if role is Role.AUDITOR else account, now=now)[0]
        for name, role in zip(NAMES, (Role.PRACTICE, Role.AUDITOR, Role.VENDOR), strict=True)
    }
    return Site(practice, gateway, settings, create_app(gateway, settings, clock=SystemClock()), account, tokens)


def close_site(site: Site) -> None:
    """Close what `open_site` opened."""
    site.gateway.close()
    site.practice.box.close()


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve on a free port of this machine; gives the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
