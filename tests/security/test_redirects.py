"""A server that sends its client elsewhere is obeyed by none of ours, whatever the status, the header and the place.

One hostile HTTPS server, every client of the gateway pointed at it by its configuration; where it sends them a bait
waits, and a path of its own that nobody must ask for. The stated outcome of each is an ordinary refusal.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from gateway.channels import timestamp
from gateway.channels.annuaire import extraction, web
from gateway.channels.annuaire.model import AnnuaireError
from gateway.channels.dmp.fhir_link import FhirLink
from gateway.channels.dmp.http import Exchange, HttpClient
from gateway.channels.insi.client import InsiClient
from gateway.channels.insi.messages import Search
from gateway.channels.outcome import Verdict, of_http_status
from gateway.channels.timestamp import TimestampError
from gateway.channels.tls import client_context
from gateway.clock import SystemClock, SystemRandomness
from gateway.inspection import certificates as certificates_of_ours
from gateway.inspection import machine
from gateway.package.mtom import HttpBody
from gateway.settings import DmpSettings, InsiSettings, TimestampSettings, TlsSettings, WebhookSettings
from gateway.settings.ways import AnnuaireSettings, ExtractionSettings
from gateway.web import webhooks
from tests.fuzz.guard import Permitted, watched
from tests.security.outside import Outside, outside
from tests.security.planting import places
from tests.unit.channels.scripted import Certificates, certificates

__all__ = ["outside"]
ELSEWHERE = "/elsewhere"
STATUSES = (300, 301, 302, 303, 305, 307, 308)


class Hostile(ThreadingHTTPServer):
    """Answers everything with `status` and `headers`; notes what was asked for."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "http" if context is None else "https"
        self.status, self.headers, self.asked = 302, dict[str, str](), list[str]()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/service"


class _Handler(BaseHTTPRequestHandler):
    server: Hostile

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        for name, value in {**self.server.headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = do_PATCH = _any  # noqa: N815 (names of http.server)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[Hostile]:
    server = Hostile(context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tls(files: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files.server.configure_cert(context)
    return context


def _own(files: Certificates) -> TlsSettings:
    return TlsSettings(ca_file=files.ca, cert_file=files.cert, key_file=files.key)


# ------------------------------------------------------------------------------------------------ every client of ours


def _soap(url: str, files: Certificates, folder: Path) -> str:
    async def ask() -> str:
        client = HttpClient(client_context(_own(files)), 5.0)
        answer = await client.post(url, HttpBody("application/soap+xml", (b"<a/>",)), Exchange())
        await client.aclose()
        assert of_http_status(answer.status) in {Verdict.CONFIGURATION, Verdict.PERMANENT}
        return "refused"

    return asyncio.run(ask())


def _fhir(url: str, files: Certificates, folder: Path) -> str:
    async def ask() -> str:
        cert = {"sign_cert_file": files.cert, "sign_key_file": files.key}
        link = FhirLink(DmpSettings(url=url, fhir_url=url, door="fhir", tls=_own(files), **cert), clock=SystemClock())
        answers = [await link.search("List", {"a": "b"}), await link.get(f"{url}/Binary/1", accept="*/*", most=99)]
        answers.append(await link.post("List", b"{}"))
        await link.aclose()
        assert all(getattr(one, "status", 0) == answers[0].status for one in answers)  # type: ignore[union-attr]
        return "refused"

    return asyncio.run(ask())


def _insi(url: str, files: Certificates, folder: Path) -> str:
    settings = InsiSettings(url=url, tls=_own(files), idam="A", emitter="B", retries=0)
    with InsiClient(settings, clock=SystemClock(), ids=SystemRandomness(), sleep=lambda _: None) as client:
        found = client.search(Search("ESSAI", ("EVA",), "F", dt.date(1980, 1, 1)))
    return type(found).__name__


def _directory(url: str, files: Certificates, folder: Path) -> str:
    site = web.Site(web.trust(files.ca), 5.0, {"ESANTE-API-KEY": "s"}, sleep=lambda _: None)
    try:
        site.get_json(f"{url}/Practitioner")
    except AnnuaireError as fault:
        return fault.code
    finally:
        site.close()
    return "taken"


def _extraction(url: str, files: Certificates, folder: Path) -> str:
    settings = AnnuaireSettings(file=folder / "a.db", extraction=ExtractionSettings(url=url, ca_file=files.ca))
    try:
        extraction.download(settings, SystemClock())
    except AnnuaireError as fault:
        return fault.code
    return "taken"


def _stamp(url: str, files: Certificates, folder: Path) -> str:
    try:
        timestamp.stamp(TimestampSettings(url=url, roots_file=files.ca, ca_file=files.ca, timeout=5.0), b"x")
    except TimestampError as fault:
        return fault.code
    return "taken"


def _webhook(url: str, files: Certificates, folder: Path) -> str:
    settings = WebhookSettings(account="a", url=url, secret_file=files.key, ca_file=files.ca, timeout=5.0)

    async def ask() -> str:
        async with webhooks._client(settings) as client:
            answer = await client.post(url, content=b"{}")
        return "taken" if answer.is_success else "refused"

    return asyncio.run(ask())


CLIENTS: dict[str, Callable[[str, Certificates, Path], str]] = {
    "dmp by soap": _soap,
    "dmp by fhir": _fhir,
    "insi": _insi,
    "annuaire api": _directory,
    "annuaire file": _extraction,
    "time stamps": _stamp,
    "webhook": _webhook,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_goes_where_a_server_sends_it(
    client: str, files: Certificates, outside: Outside, tmp_path: Path
) -> None:
    ask = CLIENTS[client]
    with serving(_tls(files)) as server:
        ways = [(status, url) for status in STATUSES for url in places(outside)[:1]]
        ways += [(307, url) for url in (*places(outside)[1:], f"{server.url[:-8]}{ELSEWHERE}", ELSEWHERE)]
        for server.status, url in ways:
            server.headers = dict.fromkeys(("Location", "Content-Location", "Refresh"), url) | {
                "Link": f'<{url}>;rel="next"'
            }
            before = len(server.asked)
            with watched(Permitted(_here(server.port))) as seen:
                assert ask(server.url, files, tmp_path) != "taken"
            assert seen == []
            assert {path.partition("/service")[0] for path in server.asked[before:]} == {""}
        assert ELSEWHERE not in " ".join(server.asked)
    assert not outside.touched()


def test_a_client_that_obeys_is_caught(files: Certificates, outside: Outside) -> None:
    """Without this, the test above could pass for want of a bait."""
    import httpx2

    with serving(None) as server, watched(Permitted(_here(server.port))) as seen:
        server.headers = {"Location": places(outside)[0]}
        with pytest.raises(httpx2.HTTPError), httpx2.Client(follow_redirects=True, timeout=0.2) as client:
            client.get(server.url)
    assert any(one.startswith("socket.connect") for one in seen)
    assert outside.touched()


def _here(port: int) -> frozenset[tuple[str, int]]:
    return frozenset((host, port) for host in ("localhost", "127.0.0.1", "::1"))


def test_every_client_of_the_code_is_tried() -> None:
    """A client of HTTP that is written tomorrow has to be put into the table above."""
    root = Path(__file__).resolve().parents[2] / "gateway"
    made = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "httpx2.Client(" in (text := path.read_text(encoding="utf-8")) or "httpx2.AsyncClient(" in text
    }
    assert made == {
        "channels/annuaire/web.py", "channels/dmp/http.py", "channels/insi/client.py", "channels/timestamp.py",
        "web/webhooks.py",
    }  # fmt: skip
    others = ("urllib.request", "http.client", "urlopen", "requests.get", "aiohttp", "xmlrpc", "websockets")
    for path in root.rglob("*.py"):
        assert not [word for word in others if word in path.read_text(encoding="utf-8")], path


# ------------------------------------------------------------------------------------------------ certificates


def _pointing(folder: Path, out: Outside) -> tuple[Path, ssl.SSLContext]:
    """A server certificate whose issuer, revocation list and responder lie at the bait (RFC 5280 §4.2)."""
    url = x509.UniformResourceIdentifier(places(out)[0])
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Autorite")])
    now = dt.datetime.now(dt.UTC)
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, url),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url),
    ]
    lists = x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)])

    def made(subject: x509.Name, public: Any, ca: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(named).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=9))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
        builder = builder.add_extension(lists, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    leaf = made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), key.public_key(), ca=False)
    anchor, own = folder / "ca.pem", folder / "own.pem"
    anchor.write_bytes(made(named, ca_key.public_key(), ca=True).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    own.write_bytes(leaf.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return anchor, context


def test_no_address_in_a_certificate_is_asked(files: Certificates, outside: Outside, tmp_path: Path) -> None:
    """Neither at the handshake nor by `doctor`: a revocation list comes from the configured file alone."""
    anchor, context = _pointing(tmp_path, outside)
    with serving(context) as server:
        server.status = 404
        with watched(Permitted(_here(server.port))) as seen:
            assert _directory(server.url, replace(files, ca=anchor), tmp_path) != "taken"
            assert list(machine._handshake("a", TlsSettings(ca_file=anchor), "localhost", server.port)) == []
            list(certificates_of_ours.served("web", tmp_path / "own.pem", tmp_path / "own.pem"))
        assert server.asked[0].startswith("/service")
    assert seen == []
    assert not outside.touched()
