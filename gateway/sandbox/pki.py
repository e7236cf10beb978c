"""A private certification authority, made once at first start and kept.

It stands for IGC Santé: a server certificate for the two services, and for each demo account separate
authentication, signature and mailbox certificates (spec dmp §1.1, mssante §4). Nothing is ever made again
silently: a folder whose certificates are damaged or expired is refused with the way out.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.sandbox.certificates import mailboxes_of

Kind = Literal["auth", "sign", "mail"]
_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_AUTHORITY_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=1095)
# A machine whose clock is a little late must still accept what was just issued.
_HEAD_START = timedelta(days=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,120}")
_ADVICE = "Arrêter le bac à sable et supprimer son dossier pki pour en créer un autre."


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Paths of a PEM certificate and of its unencrypted PEM key (readable by its owner only)."""

    cert_path: Path
    key_path: Path

    def certificate(self) -> x509.Certificate:
        """The certificate, read from its file."""
        return x509.load_pem_x509_certificate(self.cert_path.read_bytes())


@dataclass(frozen=True, slots=True)
class Pki:
    """The authority and the server certificate of one sandbox folder."""

    folder: Path
    authority: KeyPair
    server: KeyPair

    @property
    def ca_path(self) -> Path:
        """The only trust anchor that a client of the sandbox needs."""
        return self.authority.cert_path


def create_pki(folder: Path, clock: Clock, *, hosts: Sequence[str] = ("localhost", "127.0.0.1")) -> Pki:
    """Open the authority kept in `folder`, or make it at first start.

    Raises ConfigError: SBX-001 a file is missing or unreadable, SBX-002 a certificate has expired,
    SBX-003 the certificates are not valid yet (the clock went back).
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = KeyPair(folder / "ca.pem", folder / "ca.key")
    server = KeyPair(folder / "server.pem", folder / "server.key")
    if not _kept(authority, clock):
        _make_authority(authority, clock)
    if not _kept(server, clock):
        _make_server(server, authority, hosts, clock)
    return Pki(folder, authority, server)


def issue_client(
    folder: Path,
    name: str,
    *,
    clock: Clock,
    kind: Kind,
    structure_id: str,
    rpps: str | None = None,
    mailboxes: Sequence[str] = (),
    common_name: str | None = None,
) -> KeyPair:
    """A certificate for a demo account, kept under `folder/clients` and found again later.

    `structure_id` is the Struct_IdNat (in OU). With `rpps` (11 digits) it is a personal certificate whose
    CN is the PS_IdNat `8<rpps>`; else the CN is `common_name`, or the name.
    `mailboxes` are the addresses that a mail certificate may send from.
    Raises ConfigError SBX-004 when a certificate of that name exists for somebody else.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError("SBX-004", f"Nom de certificat « {name} » impossible.")
    pair = KeyPair(folder / "clients" / f"{name}-{kind}.pem", folder / "clients" / f"{name}-{kind}.key")
    pair.cert_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    subject = _subject(("OU", structure_id), ("CN", f"8{rpps}" if rpps else common_name or name))
    boxes = tuple(box.lower() for box in mailboxes)
    if _kept(pair, clock):
        _check_owner(pair, subject, boxes)
        return pair
    authority = KeyPair(folder / "ca.pem", folder / "ca.key")
    _make_leaf(pair, authority, subject, _client_extensions(kind, boxes), clock)
    return pair


def _check_owner(pair: KeyPair, subject: x509.Name, boxes: tuple[str, ...]) -> None:
    kept = pair.certificate()
    if kept.subject != subject or mailboxes_of(kept) != boxes:
        raise ConfigError("SBX-004", f"{pair.cert_path.name} existe déjà pour un autre titulaire.", _ADVICE)


def _kept(pair: KeyPair, clock: Clock) -> bool:
    """Whether the pair is there and usable now; half of it, or an expired one, is an error."""
    there = [path.exists() for path in (pair.cert_path, pair.key_path)]
    if not any(there):
        return False
    if not all(there):
        raise ConfigError("SBX-001", f"Certificat ou clé manquant : {pair.cert_path}.", _ADVICE)
    try:
        certificate = pair.certificate()
    except ValueError as fault:
        raise ConfigError("SBX-001", f"Certificat illisible : {pair.cert_path}.", _ADVICE) from fault
    _check_dates(pair.cert_path, certificate, clock.now())
    return True


def _check_dates(path: Path, certificate: x509.Certificate, now: datetime) -> None:
    if now > certificate.not_valid_after_utc:
        end = certificate.not_valid_after_utc.date().isoformat()
        raise ConfigError("SBX-002", f"Certificat expiré depuis le {end} : {path}.", _ADVICE)
    if now < certificate.not_valid_before_utc:
        raise ConfigError("SBX-003", f"Certificat pas encore valide : {path}.", "Vérifier l'heure de la machine.")


def _make_authority(pair: KeyPair, clock: Clock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(("OU", "Bac a sable"), ("CN", "AC kine-gateway bac a sable"))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_key_usage(key_cert_sign=True, crl_sign=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    builder = _builder(subject, subject, key, extensions, clock.now(), _AUTHORITY_LIFE)
    _write(pair, builder.sign(key, hashes.SHA256()), key)


def _make_server(pair: KeyPair, authority: KeyPair, hosts: Sequence[str], clock: Clock) -> None:
    subject = _subject(("OU", "Bac a sable"), ("CN", hosts[0]))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([_general_name(host) for host in hosts]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (_key_usage(digital_signature=True, key_encipherment=True), True),
    ]
    _make_leaf(pair, authority, subject, extensions, clock)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _client_extensions(kind: Kind, mailboxes: Sequence[str]) -> list[tuple[x509.ExtensionType, bool]]:
    if kind == "sign":
        # No clientAuth here: the DMP keeps authentication and signature certificates apart.
        return [(_key_usage(digital_signature=True, content_commitment=True), True)]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (_key_usage(digital_signature=True), True),
    ]
    if mailboxes:
        extensions.append((x509.SubjectAlternativeName([x509.RFC822Name(box) for box in mailboxes]), False))
    return extensions


def _make_leaf(
    pair: KeyPair,
    authority: KeyPair,
    subject: x509.Name,
    extensions: list[tuple[x509.ExtensionType, bool]],
    clock: Clock,
) -> None:
    issuer_key = serialization.load_pem_private_key(authority.key_path.read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    issuer = authority.certificate()
    # RSA: the DMP's cipher suites are ECDHE_RSA and its signatures RSA-SHA1 or RSA-SHA256 (spec dmp §1.1, §2).
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    extensions = [
        *extensions,
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    builder = _builder(subject, issuer.subject, key, extensions, clock.now(), _LEAF_LIFE)
    _write(pair, builder.sign(issuer_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: _Key,
    extensions: list[tuple[x509.ExtensionType, bool]],
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _HEAD_START).not_valid_after(now + life)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder


def _key_usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


_NAME_OIDS = {"OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "CN": NameOID.COMMON_NAME}


def _subject(*parts: tuple[str, str]) -> x509.Name:
    """C=FR, O=..., ST=... and the given parts: a state shows the RFC 2253 trap `S=` for `ST=`."""
    fixed = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "kine-gateway sandbox"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Paris (75)"),
    ]
    return x509.Name(fixed + [x509.NameAttribute(_NAME_OIDS[name], value) for name, value in parts])


def _write(pair: KeyPair, certificate: x509.Certificate, key: _Key) -> None:
    """Key first, each file complete before it bears its name: a crash leaves nothing half written."""
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(pair.key_path, encoded)
    write_private(pair.cert_path, certificate.public_bytes(serialization.Encoding.PEM))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, durably, then give it its name."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
