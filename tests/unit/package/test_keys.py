from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.errors import ConfigError
from gateway.package.keys import load_signing_keys
from tests.unit.package.samples import NOW, signing_keys

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])


def write_key(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def write_certificate(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, sign: bool = True) -> Path:
    usage = x509.KeyUsage(sign, False, not sign, False, False, False, False, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_loads_key_and_chain(tmp_path: Path) -> None:
    keys = signing_keys()
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in keys.chain))
    loaded = load_signing_keys(chain, write_key(tmp_path / "key.pem", keys.private_key))
    assert loaded.chain == keys.chain
    assert loaded.subject == "CN=Cabinet d'Épreuve\\, signature,ST=Côtes,C=FR"
    assert "private" not in repr(loaded)


def test_validity() -> None:
    keys = signing_keys()
    assert keys.valid_at(NOW)
    assert not keys.valid_at(NOW + timedelta(days=365 * 30))


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        ("missing", "SIG-001"),
        ("garbage", "SIG-001"),
        ("elliptic", "SIG-002"),
        ("short", "SIG-002"),
        ("other key", "SIG-003"),
        ("authentication", "SIG-004"),
    ],
)
def test_refusals(tmp_path: Path, prepare: str, code: str) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    good = signing_keys().private_key
    if prepare == "garbage":
        cert.write_text("x")
        key.write_text("y")
    elif prepare == "elliptic":
        curve = ec.generate_private_key(ec.SECP256R1())
        write_certificate(cert, curve)
        write_key(key, curve)
    elif prepare == "short":
        short = rsa.generate_private_key(65537, 1024)
        write_certificate(cert, short)
        write_key(key, short)
    elif prepare != "missing":
        write_certificate(cert, good, sign=prepare != "authentication")
        write_key(key, rsa.generate_private_key(65537, 2048) if prepare == "other key" else good)
    with pytest.raises(ConfigError) as refused:
        load_signing_keys(cert, key)
    assert refused.value.code == code
