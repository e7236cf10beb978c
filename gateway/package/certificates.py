"""What a certificate says of itself, for the person who looks after it: whose kind it is, what for, until when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.package import pkcs12

Holder = Literal["personne", "structure", "serveur", "autre"]

_PERSON = re.compile(r"[08]\d{9,11}")  # PS_IdNat: 8 and RPPS, 0 and ADELI (spec mssante §2.3)
_STRUCTURE = re.compile(r"[0-6]\w{8,17}")  # Struct_IdNat: its kind in one digit, then FINESS, SIREN, SIRET...


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate at a glance. `usages`: authentification, signature, messagerie, serveur; empty: not restricted."""

    holder: Holder
    usages: tuple[str, ...]
    begins: datetime
    ends: datetime

    @property
    def authenticates(self) -> bool:
        """Whether a server may take it for TLS client authentication (AUTH_CLI)."""
        return not self.usages or "authentification" in self.usages


def describe(certificate: x509.Certificate) -> Held:
    """What a certificate says of itself. Its holder's name stays out: this is for logs and tables too.

    Raises ValueError: names or extensions that cannot be read, which loading it did not look at.
    """
    try:
        usages = _usages(certificate)
        holder = _holder(certificate.subject, usages)
    except x509.DuplicateExtension as fault:
        raise ValueError("an extension twice") from fault
    return Held(holder, usages, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def own(cert_file: Path | None, pkcs12_file: Path | None, password_file: Path | None) -> x509.Certificate | None:
    """The certificate of a pair of settings, PEM or PKCS#12; None when there is none.

    Raises ConfigError like `pkcs12.load`; OSError and ValueError for PEM.
    """
    if pkcs12_file is not None and password_file is not None:
        return pkcs12.load(pkcs12_file, password_file).certificate
    return None if cert_file is None else x509.load_pem_x509_certificates(cert_file.read_bytes())[0]


def _holder(subject: x509.Name, usages: tuple[str, ...]) -> Holder:
    if "serveur" in usages and "authentification" not in usages:
        return "serveur"
    if _values(subject, NameOID.SURNAME) or any(map(_PERSON.fullmatch, _values(subject, NameOID.COMMON_NAME))):
        return "personne"
    structures = map(_STRUCTURE.fullmatch, _values(subject, NameOID.ORGANIZATIONAL_UNIT_NAME))
    return "structure" if any(structures) else "autre"


def _values(subject: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in subject.get_attributes_for_oid(oid)]


_PURPOSES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "authentification",
    ExtendedKeyUsageOID.SERVER_AUTH: "serveur",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "messagerie",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "authentification",
}


def _usages(certificate: x509.Certificate) -> tuple[str, ...]:
    extensions = certificate.extensions
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        return tuple(dict.fromkeys(_PURPOSES[oid] for oid in purposes if oid in _PURPOSES))
    except x509.ExtensionNotFound:
        pass
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return ("signature",) if usage.digital_signature or usage.content_commitment else ()
