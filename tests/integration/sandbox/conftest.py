"""A sandbox on real ports, and clients that hold its certificates."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FrozenClock
from gateway.sandbox import Sandbox
from tests.unit.sandbox.builders import RPPS, STRUCTURE, Built, Draft, Identity

SENDER = "gwenael.testou@kine.mssante.example"
DOCTOR = "helene.modele@medecin.mssante.example"
# TLS certificates are judged by the real clock, so the frozen one stands at the real present.
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Site:
    """A running sandbox and the certificates of one practice."""

    box: Sandbox
    mail: Identity
    auth: Identity
    sign: Identity
    connections: list[http.client.HTTPSConnection] = field(default_factory=list)

    def tls(self, client: Identity | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.box.ca_path))
        if client is not None:
            context.load_cert_chain(client.cert_path, client.key_path)
        return context

    def connect(self, client: Identity | None = None, host: str = "127.0.0.1") -> http.client.HTTPSConnection:
        context = self.tls(client or self.auth)
        self.connections.append(http.client.HTTPSConnection(host, self.box.dmp_port, timeout=10, context=context))
        return self.connections[-1]

    def draft(self, **changes: Any) -> Draft:
        return Draft(**{"now": NOW, "sign": self.sign, **changes})


def post(connection: http.client.HTTPSConnection, built: Built) -> tuple[int, bytes]:
    connection.request("POST", built.path, built.body, {"Content-Type": built.content_type})
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One PKI for all the tests of this folder: RSA keys cost time."""
    folder = tmp_path_factory.mktemp("sandbox")
    box = Sandbox(folder, clock=FrozenClock(NOW))
    _identities(box)
    box.close()
    return folder


def _identities(box: Sandbox) -> tuple[Identity, Identity, Identity]:
    names: dict[str, Any] = {"structure_id": STRUCTURE, "rpps": RPPS}
    pairs = (
        box.issue_client("kine", kind="mail", mailboxes=(SENDER,), **names),
        box.issue_client("kine", kind="auth", **names),
        box.issue_client("kine", kind="sign", **names),
    )
    first, second, third = (Identity.load(pair.cert_path, pair.key_path) for pair in pairs)
    return first, second, third


@pytest.fixture
def make_site(home: Path, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    boxes: list[Sandbox] = []
    sites: list[Site] = []

    def make(**settings: Any) -> Site:
        (tmp_path / "box").mkdir(exist_ok=True)
        if not (tmp_path / "box" / "pki").exists():
            (tmp_path / "box" / "pki").symlink_to(home / "pki", target_is_directory=True)
        box = Sandbox(tmp_path / "box", clock=FrozenClock(NOW), **settings)
        boxes.append(box)
        box.start()
        sites.append(Site(box, *_identities(box)))
        return sites[-1]

    yield make
    for connection in (item for found in sites for item in found.connections):
        connection.close()
    for box in boxes:
        box.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
