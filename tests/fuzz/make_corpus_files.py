"""The corpus of `targets_files`. What is salted or signed differs each time it is made: it is made once, and stays."""

from __future__ import annotations

import datetime as dt
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12

from gateway.identity import datamatrix, datamatrix_image
from gateway.store import keyring
from gateway.web.tokens import FORMAT
from tests.fuzz.make_corpus import CASE, put
from tests.fuzz.target import CORPUS
from tests.fuzz.targets_files import PASSWORD

_FROM, _TO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2046, 1, 1, tzinfo=dt.UTC)


def once(target: str, name: str, make: Callable[[], bytes]) -> None:
    """Write one input unless it is there."""
    if not (CORPUS / target / name).exists():
        put(target, name, make())


def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.derive_private_key(20261122, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Autorite d'essai")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(_FROM).not_valid_after(_TO)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def _list() -> bytes:
    key, authority = _authority()
    gone = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(_FROM).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.subject).last_update(_FROM)
    return builder.next_update(_TO).add_revoked_certificate(gone).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _archive(password: bytes) -> bytes:
    key, authority = _authority()
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"essai", key, authority, None, how)


def _stamp() -> None:
    """A root and what a real authority (OpenSSL) answered about the text `note`."""
    from rfc3161_client import TimestampRequestBuilder

    from tests.integration.test_anchor import Authority

    if (CORPUS / "time_stamp" / "reply.tsr").exists():
        return
    authority = Authority(Path(tempfile.mkdtemp()) / "tsa", "essai")
    try:
        put("time_stamp", "root.pem", authority.roots.read_bytes())
        query = TimestampRequestBuilder().data(b"note").build().as_bytes()
        put("time_stamp", "reply.tsr", authority.stamp(query))
    finally:
        authority.close()


def _pictures() -> None:
    from PIL import Image

    symbol = datamatrix.modules("IS01")
    picture = datamatrix_image.png(symbol, scale=3)
    put("picture", "symbol.png", picture)
    for kind in ("JPEG", "GIF", "BMP", "TIFF"):
        held = io.BytesIO()
        Image.open(io.BytesIO(picture)).convert("L").resize((40, 40)).save(held, kind)
        put("picture", f"symbol.{kind.lower()}", held.getvalue())


def _small() -> None:
    token = {"id": "0a1b", "name": "Mme Martin", "role": "vendor", "account": "cabinet", "sha256": "0" * 64}
    times = {"created": "2026-11-22T10:00:00+00:00", "expires": "2027-11-22T10:00:00+00:00", "revoked": None}
    put("token_file", "tokens.json", json.dumps({"format": FORMAT, "tokens": [token | times]}))
    put("token_output", "token", b"eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl=\n")
    put("cursor", "changes", b"c1-12-abc")
    put("cursor", "page", b"1795341600000.0f6c8a52-3a9e-4a43-9d55-2f0c0a6d9f10")
    form = '--B\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{}\r\n--B\r\nContent-Disposition: form-data; '
    form += 'name="document"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.4\r\n--B--\r\n'
    put("form", "two", f"multipart/form-data; boundary=B\n\n{form}")
    put("patient", "patient.json", json.dumps(json.loads(CASE.read_bytes())["patient"]))
    put("keyring", "ring.json", keyring.dump(keyring.Keyring.of(bytes(range(32)))))
    put("own_files", "status.json", json.dumps({"document_id": "2.25.1", "state": "sent"}))
    put(
        "own_files",
        "report.json",
        json.dumps({"checkpoint": {"notes": ["a\n1\nAAAA\n\nb"]}, "cursors": {"a": "c1-1-abc"}}),
    )
    vendor = Path(__file__).resolve().parents[2] / "mappings" / "vendors" / "kinexemple-csv-3.toml"
    put("mapping_file", "vendor.toml", vendor.read_bytes())
    issue = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "Rate limit exceeded !"}]}
    put("directory_refusal", "outcome.json", json.dumps(issue))
    put("directory_refusal", "disposition", b"attachment; filename*=utf-8''Extraction_202611221000.zip")
    put("directory_refusal", "date", b"HTTP/1.1 400 Bad Request\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\r\n")
    put("sntp", "answer", bytes([0x24, 2, 0, 0]) + bytes(20) + bytes(range(8)) + (b"\xee\x01\x02\x03" + bytes(4)) * 2)


def files() -> None:
    """All of it."""
    once("certificate", "ca.pem", lambda: _authority()[1].public_bytes(Encoding.PEM))
    once("revocation", "ca.pem", lambda: _authority()[1].public_bytes(Encoding.PEM))
    once("revocation", "list.pem", _list)
    once("pkcs12", "sealed.p12", lambda: _archive(PASSWORD))
    once("pkcs12", "open.p12", lambda: _archive(b""))
    _stamp()
    _pictures()
    _small()
