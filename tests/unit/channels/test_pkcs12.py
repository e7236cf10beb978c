"""A client certificate from PKCS#12: shown to a server that demands it, and each thing wrong with it said."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from gateway.channels.mssante import MssanteChannel
from gateway.channels.outcome import Verdict
from gateway.channels.tls import client_context
from gateway.errors import ConfigError
from gateway.package.keys import signing_keys
from gateway.settings import DmpSettings, TlsSettings
from tests.unit.channels.scripted import Certificates, certificates, operator
from tests.unit.channels.test_mssante import PACKAGE, TRUST, Commit, settings

PASSWORD = "mot de passe àccentué"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


def archive(files: Certificates, folder: Path, *, password: str = PASSWORD, written: str | None = None) -> TlsSettings:
    """A PKCS#12 file of the client's certificate, its password in a file that ends as editors end it."""
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(files.cert.read_bytes())
    root = x509.load_pem_x509_certificate(files.ca.read_bytes())
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    data = pkcs12.serialize_key_and_certificates(b"cabinet", key, certificate, [root], encryption)  # type: ignore[arg-type]
    return settle(files, folder, data, password if written is None else written)


def settle(files: Certificates, folder: Path, data: bytes, password: str) -> TlsSettings:
    (folder / "client.p12").write_bytes(data)
    (folder / "client.pass").write_text(password + "\r\n", encoding="utf-8", newline="")
    return TlsSettings(ca_file=files.ca, pkcs12_file=folder / "client.p12", pkcs12_password_file=folder / "client.pass")


def refusal(tls: TlsSettings, **when: datetime) -> str:
    with pytest.raises(ConfigError) as refused:
        client_context(tls, **when)
    assert refused.value.advice
    return refused.value.code


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[bytes]]:
    """Every byte that passes through a temporary file."""
    seen: list[bytes] = []
    load = ssl.SSLContext.load_cert_chain

    def spy(context: ssl.SSLContext, certfile: Path, *rest: object, **named: object) -> None:
        seen.append(Path(certfile).read_bytes())
        assert Path(certfile).parent.stat().st_mode & 0o077 == 0
        load(context, certfile, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    yield seen
    assert os.listdir(tmp_path / "tmp") == []  # noqa: PTH208


async def test_the_server_sees_the_certificate(files: Certificates, tmp_path: Path) -> None:
    async with operator(files, demand=True) as server:
        channel = MssanteChannel(settings(server.port, files, tls=archive(files, tmp_path)), TRUST, pause=0.01)
        assert (await channel.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        await channel.aclose()
        bare = MssanteChannel(settings(server.port, files, tls=TlsSettings(ca_file=files.ca)), TRUST, pause=0.01)
        assert (await bare.send(PACKAGE, Commit())).verdict is not Verdict.ACCEPTED
        await bare.aclose()


def test_no_key_in_clear_on_disk(files: Certificates, tmp_path: Path, written: list[bytes]) -> None:
    client_context(archive(files, tmp_path))
    (text,) = written
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in text
    assert b"BEGIN PRIVATE KEY" not in text
    assert text.count(b"BEGIN CERTIFICATE") == 1  # a root is nothing to send


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_password_or_none(files: Certificates, tmp_path: Path, password: str) -> None:
    client_context(archive(files, tmp_path, password=password))


def test_wrong_password_and_damage(files: Certificates, tmp_path: Path) -> None:
    assert refusal(archive(files, tmp_path, written="autre")) == "TLS-006"
    assert refusal(settle(files, tmp_path, b"not a PKCS#12 file", PASSWORD)) == "TLS-006"
    assert refusal(settle(files, tmp_path, b"", PASSWORD)) == "TLS-006"


def test_missing_files(files: Certificates, tmp_path: Path) -> None:
    tls = archive(files, tmp_path)
    assert refusal(tls.model_copy(update={"pkcs12_file": tmp_path / "no.p12"})) == "TLS-005"
    assert refusal(tls.model_copy(update={"pkcs12_password_file": tmp_path / "no.pass"})) == "TLS-005"


def test_certificates_without_a_key(files: Certificates, tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(files.cert.read_bytes())
    encryption = serialization.BestAvailableEncryption(b"secret")
    data = pkcs12.serialize_key_and_certificates(None, None, certificate, None, encryption)
    assert refusal(settle(files, tmp_path, data, "secret")) == "TLS-007"


def test_a_weak_key(files: Certificates, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cabinet")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    data = pkcs12.serialize_key_and_certificates(
        None, key, builder.sign(key, hashes.SHA256()), None, serialization.BestAvailableEncryption(b"secret")
    )
    assert refusal(settle(files, tmp_path, data, "secret")) == "TLS-008"


def test_our_own_dates(files: Certificates, tmp_path: Path) -> None:
    tls = archive(files, tmp_path)
    certificate = x509.load_pem_x509_certificate(files.cert.read_bytes())
    client_context(tls, now=datetime.now(UTC))
    assert refusal(tls, now=certificate.not_valid_after_utc + timedelta(days=1)) == "TLS-004"
    assert refusal(tls, now=certificate.not_valid_before_utc - timedelta(days=1)) == "TLS-004"


def test_one_way_and_whole(files: Certificates, tmp_path: Path) -> None:
    for values in (
        {"pkcs12_file": tmp_path},
        {"pkcs12_password_file": tmp_path},
        {"cert_file": tmp_path},
        {"cert_file": tmp_path, "key_file": tmp_path, "pkcs12_file": tmp_path, "pkcs12_password_file": tmp_path},
    ):
        with pytest.raises(ValidationError):
            TlsSettings.model_validate({"ca_file": files.ca, **values})


def test_signature_keys_from_pkcs12(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cabinet")])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(
        key, hashes.SHA256()
    )
    (tmp_path / "sign.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(
            None, key, certificate, None, serialization.BestAvailableEncryption(b"secret")
        )
    )
    (tmp_path / "sign.pass").write_text("secret")
    values = {"url": "https://dmp.example", "tls": {"ca_file": "ca.pem"}, "sign_pkcs12_file": tmp_path / "sign.p12"}
    found = signing_keys(DmpSettings.model_validate({**values, "sign_pkcs12_password_file": tmp_path / "sign.pass"}))
    assert found.certificate == certificate
    with pytest.raises(ValidationError, match="sign_cert_file ou sign_pkcs12_file"):
        DmpSettings.model_validate({"url": "https://dmp.example", "tls": {"ca_file": "ca.pem"}})
