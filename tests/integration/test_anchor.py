"""The journal anchored by a real time-stamping authority: OpenSSL's, behind HTTP on loopback."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.audit.export import export
from gateway.audit.verify import verify_export, verify_store
from gateway.channels.timestamp import TimestampError
from gateway.engine.upkeep import Upkeep, anchor
from gateway.errors import ConfigError
from gateway.settings import JournalSettings, TimestampSettings
from tests.unit.store import kit

_TSA = """[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
"""


class Authority:
    """A root, a stamping certificate, and a server that stamps what is posted to it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.asked: list[bytes] = []
        self.broken = ""
        folder.mkdir()
        (folder / "tsa.cnf").write_text(_TSA.format(folder=folder))
        (folder / "serial").write_text("01\n")
        self.roots = folder / "root.pem"
        self._certificates(name)
        self.server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/tsa"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def stamp(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query"]
        command += ["-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "reply").read_bytes()

    def _certificates(self, name: str) -> None:
        root_key = rsa.generate_private_key(65537, 2048)
        root = _certificate(f"{name} root", root_key, f"{name} root", root_key, authority=True)
        key = rsa.generate_private_key(65537, 2048)
        leaf = _certificate(name, key, f"{name} root", root_key, authority=False)
        self.roots.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.asked.append(query)
                status, data = (503, b"") if authority.broken == "down" else (200, authority.stamp(query))
                if authority.broken == "replayed":
                    data = authority.stamp(authority.asked[0])
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(data if authority.broken != "garbage" else b"\x30\x03abc")

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _certificate(
    subject: str, key: rsa.RSAPrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey, *, authority: bool
) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, needs: Callable[..., None]) -> Iterator[Authority]:
    needs("openssl")
    made = Authority(tmp_path_factory.mktemp("tsa") / "one", "Horodatage de test")
    yield made
    made.close()


@pytest.fixture
def settings(authority: Authority) -> TimestampSettings:
    authority.broken = ""
    authority.asked.clear()
    return TimestampSettings(url=authority.url, roots_file=authority.roots)


def exported(store: kit.Outbox, folder: Path) -> Path:
    file = folder / "export.jsonl"
    file.write_text("".join(export(store)), encoding="utf-8")
    return file


def test_an_anchored_journal_binds_the_key_holder(tmp_path: Path, settings: TimestampSettings) -> None:
    store = kit.open_store(tmp_path)
    store.accept(kit.request("a"))
    assert anchor(store, settings) is not None
    assert anchor(store, settings) is None  # nothing new
    store.accept(kit.request("b"))
    key = tmp_path / "checkpoints" / "journal.pub"
    for report in (
        verify_store(store, public_key=key, tsa=settings.roots_file),
        verify_export(exported(store, tmp_path), public_key=key, tsa=settings.roots_file),
    ):
        assert report.ok, report.summary
        assert [one.authority for one in report.anchors] == ["Horodatage de test"]
        assert 0 < report.anchors[0].size < report.size
        assert "horodatés par Horodatage de test" in report.summary
    blind = verify_export(exported(store, tmp_path), public_key=key)
    assert (blind.ok, blind.stamps, blind.anchors) == (True, 1, ())
    assert "--tsa" in blind.summary
    store.close()


def test_openssl_verifies_the_kept_stamp(tmp_path: Path, settings: TimestampSettings) -> None:
    store = kit.open_store(tmp_path)
    name = anchor(store, settings)
    assert name is not None
    note = tmp_path / "checkpoints" / name
    command = ["openssl", "ts", "-verify", "-data", note, "-in", note.with_suffix(".tsr")]
    done = subprocess.run([*command, "-CAfile", settings.roots_file], capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout, done.stderr
    store.close()


def test_a_stamp_of_somebody_else_is_not_kept(tmp_path: Path, authority: Authority) -> None:
    other = Authority(tmp_path / "other", "Autre")
    try:
        store = kit.open_store(tmp_path / "store")
        with pytest.raises(ConfigError) as caught:
            anchor(store, TimestampSettings(url=other.url, roots_file=authority.roots))
        assert caught.value.code == "TSA-004"
        assert list((tmp_path / "store" / "checkpoints").glob("*.tsr")) == []
        store.close()
    finally:
        other.close()


def test_a_forged_or_moved_stamp_is_found_out(
    tmp_path: Path, settings: TimestampSettings, authority: Authority
) -> None:
    store = kit.open_store(tmp_path)
    first = anchor(store, settings)
    store.accept(kit.request("a"))
    second = anchor(store, settings)
    assert first is not None
    assert second is not None
    folder = tmp_path / "checkpoints"
    moved = (folder / first).with_suffix(".tsr").read_bytes()
    (folder / second).with_suffix(".tsr").write_bytes(moved)
    report = verify_store(store, tsa=authority.roots)
    assert {finding.code for finding in report.findings} == {"JRN-113"}
    assert len(report.anchors) == 1
    store.close()


@pytest.mark.parametrize("fault", ["down", "garbage", "replayed"])
def test_an_authority_at_fault_is_said_and_asked_again_later(
    tmp_path: Path, settings: TimestampSettings, authority: Authority, fault: str
) -> None:
    store = kit.open_store(tmp_path)
    anchor(store, settings)
    store.accept(kit.request("a"))
    authority.broken = fault
    with pytest.raises(TimestampError):
        anchor(store, settings)
    clock = kit.clock()
    journal = JournalSettings(checkpoint_dir=tmp_path, key_file=tmp_path, timestamp=settings)
    upkeep = Upkeep(store, journal, clock)
    upkeep.tick()  # logs, does not raise
    asked = len(authority.asked)
    upkeep.tick()
    assert len(authority.asked) == asked  # patience
    authority.broken = ""
    clock.advance(601)
    upkeep.tick()
    assert not store.unanchored()
    store.close()


def test_only_a_hash_leaves(tmp_path: Path, settings: TimestampSettings, authority: Authority) -> None:
    store = kit.open_store(tmp_path)
    anchor(store, settings)
    assert len(authority.asked[0]) < 120
    assert b"kine-gateway" not in authority.asked[0]
    store.close()


def test_a_running_gateway_signs_by_the_clock(tmp_path: Path) -> None:
    store, clock = kit.open_store(tmp_path), kit.clock()
    upkeep = Upkeep(store, JournalSettings(checkpoint_dir=tmp_path, key_file=tmp_path, every_minutes=5), clock)
    store.accept(kit.request("a"))
    before = len(list((tmp_path / "checkpoints").glob("checkpoint-*.txt")))
    upkeep.tick()
    assert len(list((tmp_path / "checkpoints").glob("checkpoint-*.txt"))) == before
    clock.advance(301)
    upkeep.tick()
    assert len(list((tmp_path / "checkpoints").glob("checkpoint-*.txt"))) == before + 1
    store.close()
