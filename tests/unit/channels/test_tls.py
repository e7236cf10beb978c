from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from gateway.channels.mssante import MssanteChannel
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.tls import causes, client_context
from gateway.errors import ConfigError
from gateway.settings import TlsSettings
from tests.unit.channels.scripted import Certificates, certificates, operator
from tests.unit.channels.test_mssante import PACKAGE, TRUST, Commit, settings


def revocation_list(files: Certificates, path: Path, *revoked: int, days: int = 1) -> Path:
    """A CRL of the test authority; trustme keeps its key in PEM."""
    authority = x509.load_pem_x509_certificate(files.authority.cert_pem.bytes())
    key = serialization.load_pem_private_key(files.authority.private_key_pem.bytes(), password=None)
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
    builder = builder.last_update(now - timedelta(days=5)).next_update(now + timedelta(days=days))
    for serial in revoked:
        row = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(days=1)).build()
        builder = builder.add_revoked_certificate(row)
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))  # type: ignore[arg-type]
    return path


async def send(files: Certificates, crl: Path) -> Outcome:
    tls = TlsSettings(ca_file=files.ca, cert_file=files.cert, key_file=files.key, crl_file=crl)
    async with operator(files) as server:
        channel = MssanteChannel(settings(server.port, files, tls=tls), TRUST, pause=0.01)
        outcome = await channel.send(PACKAGE, Commit())
        await channel.aclose()
    return outcome


async def test_revoked_server_is_refused_and_a_good_one_is_not(tmp_path: Path) -> None:
    files = certificates(tmp_path)
    server = x509.load_pem_x509_certificate(files.server.cert_chain_pems[0].bytes())
    clean = revocation_list(files, tmp_path / "clean.pem")
    assert (await send(files, clean)).verdict is Verdict.ACCEPTED
    revoked = await send(files, revocation_list(files, tmp_path / "revoked.pem", server.serial_number))
    assert (revoked.verdict, revoked.reason) == (Verdict.CONFIGURATION, "MSS-TLS-VERIFY")


async def test_outdated_list_is_refused(tmp_path: Path) -> None:
    files = certificates(tmp_path)
    outcome = await send(files, revocation_list(files, tmp_path / "old.pem", days=-1))
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-TLS-VERIFY")


def test_system_authorities_are_not_trusted(tmp_path: Path) -> None:
    files = certificates(tmp_path)
    context = client_context(TlsSettings(ca_file=files.ca))
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.check_hostname


@pytest.mark.parametrize("text", ["", "no certificate here"])
def test_unreadable_anchor(tmp_path: Path, text: str) -> None:
    anchor = tmp_path / "ca.pem"
    anchor.write_text(text)
    with pytest.raises(ConfigError) as refused:
        client_context(TlsSettings(ca_file=anchor))
    assert refused.value.code == "TLS-001"


def test_encrypted_key_does_not_ask_on_the_terminal(tmp_path: Path) -> None:
    files = certificates(tmp_path)
    key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    sealed = tmp_path / "sealed.key"
    sealed.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError) as refused:
        client_context(TlsSettings(ca_file=files.ca, cert_file=files.cert, key_file=sealed))
    assert refused.value.code == "TLS-002"


def test_causes_end_even_in_a_circle() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert list(causes(one)) == [one, two]
