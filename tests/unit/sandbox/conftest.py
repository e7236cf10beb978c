"""A private PKI made once, and a DMP without its network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree

from gateway.clock import FrozenClock, SystemRandomness
from gateway.sandbox.dmp.service import DmpOptions, DmpService, HttpAnswer, HttpRequest
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.faults import Faults
from gateway.sandbox.pki import create_pki, issue_client
from gateway.sandbox.service import DmpView

from . import builders
from .builders import Built, Draft, Identity

# The clock stands still at the real present: certificates must also be valid for TLS and signxml.
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Certificates:
    """Certificates of a practice, of its physiotherapist, of another practice and of a rogue authority."""

    folder: Path
    ca: x509.Certificate
    auth: Identity
    sign: Identity
    personal_auth: Identity
    personal_sign: Identity
    colleague_auth: Identity
    other_auth: Identity
    other_sign: Identity
    expired_sign: Identity
    rogue_sign: Identity


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("pki")
    rogue = tmp_path_factory.mktemp("rogue")
    clock = FrozenClock(NOW)
    authority = create_pki(folder, clock)
    create_pki(rogue, clock)

    def issue(
        name: str, kind: Any, structure: str, *, at: datetime = NOW, where: Path = folder, **more: Any
    ) -> Identity:
        pair = issue_client(where, name, clock=FrozenClock(at), kind=kind, structure_id=structure, **more)
        return Identity.load(pair.cert_path, pair.key_path)

    structure, other = builders.STRUCTURE, builders.OTHER_STRUCTURE
    return Certificates(
        folder,
        authority.authority.certificate(),
        issue("cabinet", "auth", structure),
        issue("cabinet", "sign", structure),
        issue("kine", "auth", structure, rpps=builders.RPPS),
        issue("kine", "sign", structure, rpps=builders.RPPS),
        issue("collegue", "auth", structure, rpps="99700002019"),
        issue("autre", "auth", other),
        issue("autre", "sign", other),
        issue("perime", "sign", structure, at=NOW - timedelta(days=1500)),
        issue("cabinet", "sign", structure, where=rogue),
    )


@dataclass
class Dmp:
    """A DMP service, its store and the certificate of the client that talks to it."""

    pki: Certificates
    store: DmpStore
    faults: Faults
    clock: FrozenClock
    service: DmpService
    options: DmpOptions = field(default_factory=DmpOptions)

    @property
    def view(self) -> DmpView:
        return DmpView(self.store)

    def draft(self, **changes: Any) -> Draft:
        sign = self.pki.personal_sign if changes.get("mode") == "DIRECTE" else self.pki.sign
        return Draft(**{"now": self.clock.now(), "sign": sign, **changes})

    def send(self, built: Built, peer: Identity | None = None) -> HttpAnswer:
        certificate = (peer or self.pki.auth).certificate
        return self.service.answer(HttpRequest(built.path, built.content_type, built.body, certificate))


def _make(pki: Certificates, file: Path, **options: Any) -> Dmp:
    clock = FrozenClock(NOW)
    store = DmpStore(file, clock)
    faults = Faults()
    settings = DmpOptions(**options)
    service = DmpService(store, pki.ca, faults, clock, SystemRandomness(), settings)
    return Dmp(pki, store, faults, clock, service, settings)


@pytest.fixture(scope="module")
def shared_dmp(pki: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dmp]:
    """One DMP for all the examples of a property."""
    made = _make(pki, tmp_path_factory.mktemp("dmp") / "dmp.sqlite")
    yield made
    made.store.close()


@pytest.fixture
def make_dmp(pki: Certificates, tmp_path: Path) -> Iterator[Callable[..., Dmp]]:
    stores: list[DmpStore] = []

    def make(**options: Any) -> Dmp:
        made = _make(pki, tmp_path / "dmp.sqlite", **options)
        stores.append(made.store)
        return made

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def dmp(make_dmp: Callable[..., Dmp]) -> Dmp:
    return make_dmp()


def outcome(answer: HttpAnswer) -> tuple[str, ...]:
    """`("Success",)`, the distinct error codes in order, or `("Fault", code, subcode)`."""
    root = etree.fromstring(answer.body)
    fault = root.find(f".//{{{builders.ENV}}}Fault")
    if fault is not None:
        values = [str(item.text) for item in fault.iter(f"{{{builders.ENV}}}Value")]
        return ("Fault", *values)
    response = root.find(".//{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse")
    assert response is not None
    errors = response.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryError")
    codes = [str(item.get("errorCode")) for item in errors]
    return tuple(dict.fromkeys(codes)) or (str(response.get("status")).rpartition(":")[2],)


def reasons(answer: HttpAnswer) -> str:
    """The French texts of a refusal, joined."""
    root = etree.fromstring(answer.body)
    texts = [str(item.get("codeContext")) for item in root.iter() if item.get("codeContext")]
    texts += [str(item.text) for item in root.iter(f"{{{builders.ENV}}}Text")]
    return " | ".join(texts)
